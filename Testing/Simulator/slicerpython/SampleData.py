"""The registry of the Sample Data module; as strict as Slicer's, but nothing is downloaded."""

import os

import slicer


class SampleDataSource:
    def __init__(
        self,
        sampleName=None,
        sampleDescription=None,
        uris=None,
        fileNames=None,
        nodeNames=None,
        checksums=None,
        loadFiles=None,
        customDownloader=None,
        thumbnailFileName=None,
        loadFileTypes=None,
        loadFileProperties=None,
    ):
        self.sampleName, self.customDownloader = sampleName, customDownloader
        self.sampleDescription = sampleDescription or sampleName
        self.thumbnailFileName, self.loadFileProperties = thumbnailFileName, loadFileProperties
        if isinstance(uris, str):
            uris, fileNames, nodeNames = [uris], [fileNames], [nodeNames]
            checksums, loadFiles, loadFileTypes = [checksums], [loadFiles], [loadFileTypes]
        elif uris is not None:
            nodeNames, checksums, loadFiles, loadFileTypes = (
                [None] * len(uris) if values is None else values
                for values in (nodeNames, checksums, loadFiles, loadFileTypes)
            )
        self.uris, self.fileNames, self.nodeNames = uris, fileNames, nodeNames
        lists = (uris, fileNames, nodeNames, checksums, loadFiles, loadFileTypes)
        if len({len(values) for values in lists}) > 1:
            raise ValueError("All fields of sample data source must have the same length")


class SampleDataLogic:
    @staticmethod
    def registerCustomSampleDataCategory(category, title):
        slicer.modules.sampleDataSourceCategories = {category: {"title": title}}

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
            sampleName=sampleName,
            uris=uris,
            fileNames=fileNames,
            nodeNames=nodeNames,
            checksums=checksums,
            loadFiles=loadFiles,
            customDownloader=customDownloader,
            thumbnailFileName=thumbnailFileName,
            loadFileTypes=loadFileTypes,
            loadFileProperties=loadFileProperties,
        )
        if not hasattr(slicer.modules, "sampleDataSources"):
            slicer.modules.sampleDataSources = {}
        slicer.modules.sampleDataSources.setdefault(category, []).append(source)

    def __init__(self):
        self.registerCustomSampleDataCategory("General", title="General")
