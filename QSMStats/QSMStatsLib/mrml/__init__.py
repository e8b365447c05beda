"""The only folder of QSMStatsLib that may import slicer, vtk, qt or ctk."""
