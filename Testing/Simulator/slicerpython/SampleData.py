"""The registry of the Sample Data module; a source with a custom downloader can be loaded."""

import os

import slicer


class SampleDataSource:
    def __init__(self, category, sampleName, thumbnailFileName=None, customDownloader=None, **more):
        self.category, self.sampleName = category, sampleName
        self.thumbnailFileName, self.customDownloader = thumbnailFileName, customDownloader
        self.more = more


class SampleDataLogic:
    @staticmethod
    def registerCustomSampleDataCategory(category, title=None, description=None, order=None):
        _sources().setdefault(category, [])

    @staticmethod
    def registerCustomSampleDataSource(
        category="Custom",
        sampleName=None,
        uris=None,
        fileNames=None,
        nodeNames=None,
        customDownloader=None,
        thumbnailFileName=None,
        loadFileTypes=None,
        loadFiles=None,
        loadFileProperties=None,
        checksums=None,
    ):
        if thumbnailFileName and not os.path.isfile(thumbnailFileName):
            raise FileNotFoundError(thumbnailFileName)
        source = SampleDataSource(
            category, sampleName, thumbnailFileName, customDownloader, uris=uris,
            fileNames=fileNames, nodeNames=nodeNames, checksums=checksums,
        )  # fmt: skip
        _sources().setdefault(category, []).append(source)

    def downloadSample(self, sampleName):
        for source in (s for listed in _sources().values() for s in listed):
            if source.sampleName == sampleName:
                return source.customDownloader(source)
        raise ValueError(f"There is no sample data set {sampleName}")


def _sources():
    if not hasattr(slicer.modules, "sampleDataSources"):
        slicer.modules.sampleDataSources = {}
    return slicer.modules.sampleDataSources
