"""Left and right of structures that came in one label for both sides."""

import numpy as np


def midplane(points_ras, groups, iterations=20):
    """The plane between the left and the right half of paired structures.

    Starts at x = mean and moves to the plane through the middles between the left and right
    centroids of each structure, normal to the mean line between them, until it stands still.

    Parameters
    ----------
    points_ras : (n, 3) positions in mm, world RAS
    groups : (n,) int, which structure each point belongs to
    iterations : int

    Returns
    -------
    normal : (3,) unit vector towards the right
    offset_mm : float; a point is on the right where ``point @ normal > offset_mm``
    """
    normal, offset = np.array([1.0, 0.0, 0.0]), points_ras[:, 0].mean()
    for _ in range(iterations):
        right = points_ras @ normal > offset
        middles, lines = [], []
        for group in np.unique(groups):
            ours = groups == group
            if not (right & ours).any() or not (~right & ours).any():
                continue
            a, b = points_ras[ours & right].mean(0), points_ras[ours & ~right].mean(0)
            middles.append((a + b) / 2)
            lines.append(a - b)
        if not lines:
            break
        line = np.sum(lines, axis=0)
        new = line / np.linalg.norm(line)
        new_offset = float(np.mean(middles, axis=0) @ new)
        done = np.allclose(new, normal, atol=1e-6) and abs(new_offset - offset) < 1e-4
        normal, offset = new, new_offset
        if done:
            break
    return normal, offset


def positions_ras(index_kji, affine_ras):
    """World positions (n, 3) in mm of the voxels with indices ``(k, j, i)`` (each (n,))."""
    ijk = np.stack(index_kji[::-1], axis=1).astype(float)
    affine = np.asarray(affine_ras, float)
    return ijk @ affine[:3, :3].T + affine[:3, 3]
