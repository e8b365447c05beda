# Stand-in for the configuration of a Slicer build: what a scripted extension needs, nothing else.
#   cmake -DSlicer_DIR=<this folder> -S <extension> -B <build>

set(Slicer_VERSION_MAJOR 5)
set(Slicer_VERSION_MINOR 12)
set(Slicer_VERSION_PATCH 3)
set(Slicer_VERSION 5.12.3)
set(Slicer_REVISION 0)
set(Slicer_OS linux)
set(Slicer_ARCHITECTURE amd64)
set(Slicer_USE_PYTHONQT ON)

set(Slicer_QTSCRIPTEDMODULES_LIB_DIR lib/Slicer-5.12/qt-scripted-modules)
set(Slicer_INSTALL_QTSCRIPTEDMODULES_LIB_DIR ${Slicer_QTSCRIPTEDMODULES_LIB_DIR})
set(Slicer_INSTALL_SHARE_DIR share/Slicer-5.12)

get_filename_component(_simulator "${CMAKE_CURRENT_LIST_DIR}/.." ABSOLUTE)
set(Slicer_LAUNCHER_EXECUTABLE "${_simulator}/Slicer")
find_program(Slicer_PYTHON NAMES python3 DOC "Python with slicer-core and PySide6-Essentials")

set(Slicer_USE_FILE "${CMAKE_CURRENT_LIST_DIR}/UseSlicer.cmake")
set(Slicer_EXTENSION_GENERATE_CONFIG "${CMAKE_CURRENT_LIST_DIR}/SlicerExtensionGenerateConfig.cmake")
set(Slicer_EXTENSION_CPACK "${CMAKE_CURRENT_LIST_DIR}/SlicerExtensionCPack.cmake")
set(Slicer_GENERIC_TEST "${CMAKE_CURRENT_LIST_DIR}/ModuleGenericTest.py.in")
