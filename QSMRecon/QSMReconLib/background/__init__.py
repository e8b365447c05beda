"""Total field (Hz) -> local field (Hz). One file per algorithm."""
