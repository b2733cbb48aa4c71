# Foreign::arrow: Arrow C++ and Parquet, from the system where it has them new enough, else the private copies that
# scripts/arrow makes of the wheel's. -DTAPEDECK_ARROW_DIR=<folder with include/ and lib/> names another place.
#
# TAPEDECK_ARROW_LIBRARIES is what `cmake --install` ships beside the binary: empty where the system has them.
set(TAPEDECK_ARROW_DIR "" CACHE PATH "Folder of Arrow C++; empty: the system's, else what scripts/arrow makes")
set(TAPEDECK_ARROW_LIBRARIES)
add_library(td_foreign_arrow INTERFACE)
add_library(Foreign::arrow ALIAS td_foreign_arrow)

if(NOT TAPEDECK_ARROW_DIR)
  pkg_check_modules(TD_PKG_arrow QUIET IMPORTED_TARGET GLOBAL arrow>=23 parquet>=23)
endif()
if(TD_PKG_arrow_FOUND)
  target_link_libraries(td_foreign_arrow INTERFACE PkgConfig::TD_PKG_arrow)
  message(STATUS "Arrow C++: the system's ${TD_PKG_arrow_arrow_VERSION}")
  return()
endif()

set(td_arrow_dir "${TAPEDECK_ARROW_DIR}")
if(NOT td_arrow_dir)
  execute_process(COMMAND "${CMAKE_CURRENT_SOURCE_DIR}/scripts/arrow" --where
    OUTPUT_VARIABLE td_arrow_dir OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
endif()
if(NOT EXISTS "${td_arrow_dir}/include/arrow/api.h")
  message(FATAL_ERROR "Arrow C++ is not in ${td_arrow_dir}; run scripts/arrow once (scripts/test and scripts/demo do)")
endif()
# Without this the process may crash: calls of OpenSSL and simdjson would end in libparquet's copies of them.
execute_process(COMMAND "${CMAKE_CURRENT_SOURCE_DIR}/scripts/arrow" --check "${td_arrow_dir}"
  COMMAND_ERROR_IS_FATAL ANY)

foreach(name arrow parquet)
  file(REAL_PATH "${td_arrow_dir}/lib/lib${name}.so" library)
  get_filename_component(soname "${library}" NAME)
  add_library(td_imported_${name} SHARED IMPORTED GLOBAL)
  set_target_properties(td_imported_${name} PROPERTIES IMPORTED_LOCATION "${library}" IMPORTED_SONAME "${soname}"
    INTERFACE_INCLUDE_DIRECTORIES "${td_arrow_dir}/include")
  list(APPEND TAPEDECK_ARROW_LIBRARIES "${library}")
  target_link_libraries(td_foreign_arrow INTERFACE td_imported_${name})
endforeach()
target_link_libraries(td_imported_parquet INTERFACE td_imported_arrow)
set(TAPEDECK_ARROW_LICENSES "${td_arrow_dir}/licenses")
message(STATUS "Arrow C++: ${td_arrow_dir}")
