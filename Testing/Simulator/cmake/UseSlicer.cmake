# The macros of Slicer that the modules call, with the same arguments and the same refusals.

include(CMakeParseArguments)
include(CTest)

set(EXTENSION_NAME ${PROJECT_NAME})
set(EXTENSION_SOURCE_DIR ${PROJECT_SOURCE_DIR})

# slicerMacroBuildScriptedModule(NAME ... SCRIPTS ... RESOURCES ... [WITH_GENERIC_TESTS] [WITH_SUBDIR])
# Copies every listed file below lib/.../qt-scripted-modules and installs it. What is not listed is
# not packaged, and what is listed must exist.
macro(slicerMacroBuildScriptedModule)
  cmake_parse_arguments(_module "WITH_GENERIC_TESTS;WITH_SUBDIR;VERBOSE" "NAME" "SCRIPTS;RESOURCES" ${ARGN})
  if(_module_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "slicerMacroBuildScriptedModule: unknown arguments ${_module_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT _module_NAME)
    message(FATAL_ERROR "slicerMacroBuildScriptedModule: NAME is mandatory")
  endif()
  set(_copies)
  foreach(_file ${_module_SCRIPTS} ${_module_RESOURCES})
    set(_source "${CMAKE_CURRENT_SOURCE_DIR}/${_file}")
    if(NOT EXISTS "${_source}" OR IS_DIRECTORY "${_source}")
      message(FATAL_ERROR "slicerMacroBuildScriptedModule: ${_module_NAME} lists ${_file}, which does not exist")
    endif()
    get_filename_component(_folder "${_file}" DIRECTORY)
    set(_copy "${CMAKE_BINARY_DIR}/${Slicer_QTSCRIPTEDMODULES_LIB_DIR}/${_file}")
    add_custom_command(OUTPUT "${_copy}"
      COMMAND ${CMAKE_COMMAND} -E copy "${_source}" "${_copy}" DEPENDS "${_source}")
    list(APPEND _copies "${_copy}")
    install(FILES "${_source}"
      DESTINATION "${Slicer_INSTALL_QTSCRIPTEDMODULES_LIB_DIR}/${_folder}" COMPONENT RuntimeLibraries)
  endforeach()
  add_custom_target(${_module_NAME}Files ALL DEPENDS ${_copies})
  if(BUILD_TESTING AND _module_WITH_GENERIC_TESTS)
    set(MODULE_NAME_TESTED ${_module_NAME})
    string(TOLOWER ${_module_NAME} MODULE_NAME_TESTED_LOWER)
    configure_file(${Slicer_GENERIC_TEST}
      ${CMAKE_CURRENT_BINARY_DIR}/qSlicer${_module_NAME}ModuleGenericTest.py @ONLY)
    slicer_add_python_unittest(
      SCRIPT ${CMAKE_CURRENT_BINARY_DIR}/qSlicer${_module_NAME}ModuleGenericTest.py
      TESTNAME_PREFIX nomainwindow_)
  endif()
endmacro()

# slicer_add_python_unittest(SCRIPT <file.py> [TESTNAME_PREFIX ...] [SLICER_ARGS ...])
macro(slicer_add_python_unittest)
  cmake_parse_arguments(_test "" "SCRIPT;TESTNAME_PREFIX" "SLICER_ARGS" ${ARGN})
  get_filename_component(_name ${_test_SCRIPT} NAME_WE)
  get_filename_component(_folder ${_test_SCRIPT} ABSOLUTE BASE_DIR ${CMAKE_CURRENT_SOURCE_DIR})
  get_filename_component(_folder ${_folder} DIRECTORY)
  add_test(NAME py_${_test_TESTNAME_PREFIX}${_name}
    COMMAND ${Slicer_PYTHON} ${Slicer_LAUNCHER_EXECUTABLE} --no-splash --testing ${_test_SLICER_ARGS}
    --additional-module-paths ${CMAKE_BINARY_DIR}/${Slicer_QTSCRIPTEDMODULES_LIB_DIR}
    --python-code "import slicer.testing; slicer.testing.runUnitTest(['${CMAKE_CURRENT_BINARY_DIR}', '${_folder}'], '${_name}')")
  set_tests_properties(py_${_test_TESTNAME_PREFIX}${_name} PROPERTIES RUN_SERIAL TRUE)
endmacro()
