"""Files in and out: NIfTI, BIDS, JSON; arrays and Acquisition on the other side."""
