"""What compiled peers reach on the same phantom: shared/peers/PEERS.md, measured 2026-11.

QSM.rs 0.20 and SEPIA 1.2.2.6; FFT units and the columns of the tables in run.py by their paths.
"""


def _field(units, nrmse, correlation, median_ppb, rms_ppb, beyond):
    values = {"nrmse": nrmse, "correlation": correlation, "median_error_ppb": median_ppb}
    values |= {"rms_error_ppb": rms_ppb, "beyond_100_ppb": beyond}
    return {"fft_units": units, "total_field": values}


def _local(units, peak_mb, nrmse, xsim, support):
    scores = {"nrmse": nrmse, "xsim": xsim}
    return {"fft_units": units, "peak_mb": peak_mb, "local_field": scores, "support": support}


def _chi(units, peak_mb, nrmse, detrended, tissue, blood, dgm, xsim, hfen):
    chi = {"nrmse": nrmse, "nrmse_detrended": detrended, "nrmse_tissue": tissue}
    chi |= {"nrmse_blood": blood, "nrmse_dgm": dgm, "xsim": xsim, "hfen": hfen}
    return {"fft_units": units, "peak_mb": peak_mb, "chi": chi}


def _chain(units, peak_mb, nrmse, detrended, dgm, xsim, support):
    chi = {"nrmse": nrmse, "nrmse_detrended": detrended, "nrmse_dgm": dgm, "xsim": xsim}
    return {"fft_units": units, "peak_mb": peak_mb, "chi": chi, "support": support}


PEERS = {
    ("fieldfit", 7): {
        "QSM.rs ROMEO, MCPC-3D-S, weighted mean": _field(155, 16.2, 0.988, 1.44, 35.8, 0.0037),
        "QSM.rs ROMEO, MCPC-3D-S, linear fit": _field(124, 29.3, 0.959, 0.49, 64.4, 0.0063),
    },
    ("background", 3): {
        "QSM.rs SHARP": _local(31, 877, 47.6, 0.719, 0.749),
        "QSM.rs RESHARP": _local(485, 1094, 45.7, 0.727, 0.749),
        "QSM.rs V-SHARP": _local(234, 1094, 41.1, 0.817, 0.962),
        "QSM.rs iSMV": _local(398, 1103, 42.2, 0.776, 0.790),
        "QSM.rs LBV": _local(219, 1103, 36.1, 0.881, 0.962),
        "QSM.rs PDF": _local(5502, 1103, 38.6, 0.829, 1.0),
    },
    ("inversion", 3): {
        "QSM.rs TKD": _chi(11, 305, 32.4, 34.2, 45.9, 30.9, 25.5, 0.661, 30.0),
        "QSM.rs Tikhonov": _chi(13, 944, 37.8, 37.5, 50.8, 35.1, 27.6, 0.640, 37.8),
        "QSM.rs RTS": _chi(200, 1187, 27.2, 27.7, 37.1, 24.3, 17.7, 0.681, 21.1),
        "QSM.rs TV": _chi(387, 945, 22.3, 22.7, 30.0, 20.3, 13.8, 0.737, 16.7),
        "QSM.rs HD-QSM, tuned": _chi(485, 1633, 18.4, 18.7, 23.3, 16.8, 12.6, 0.699, 11.4),
        "QSM.rs MEDI": _chi(610, 1196, 77.0, 103.3, 103.3, 32.6, 22.2, 0.648, 59.2),
        "QSM.rs iLSQR": _chi(1819, 1684, 51.8, 60.4, 74.0, 47.2, 37.0, 0.543, 52.2),
        "QSM.rs FANSI nlTV, tuned": _chi(2944, 1681, 15.3, 15.5, 19.3, 15.3, 11.9, 0.837, 10.7),
    },
    ("preset", 3): {
        "QSM.rs default": _chain(621, 1976, 73.1, 100.4, 29.8, 0.355, 0.962),
        "QSM.rs fit, RESHARP, TV": _chain(1198, 1561, 69.9, 97.8, 27.2, 0.377, 0.749),
        "QSM.rs fit, iSMV, TV": _chain(1131, 1539, 72.2, 102.6, 32.1, 0.384, 0.790),
    },
    ("preset", 7): {
        "QSM.rs default": _chain(534, 1680, 114.9, 195.5, 60.6, 0.299, 0.962),
    },
}
"""By stage and field strength (T), on the head of 1 mm."""
