# td_flatbuffers(<target> <schema>...): headers <build>/generated/codec/<schema>_generated.h from
# schemas/<schema>.fbs, made
# before <target> is compiled.
find_program(TAPEDECK_FLATC flatc REQUIRED)

function(td_flatbuffers target)
  set(out "${PROJECT_BINARY_DIR}/generated/codec")
  set(headers)
  foreach(schema IN LISTS ARGN)
    set(header "${out}/${schema}_generated.h")
    add_custom_command(
      OUTPUT "${header}"
      COMMAND "${TAPEDECK_FLATC}" --cpp --cpp-std c++17 --scoped-enums -o "${out}"
              "${PROJECT_SOURCE_DIR}/schemas/${schema}.fbs"
      DEPENDS "${PROJECT_SOURCE_DIR}/schemas/${schema}.fbs"
      COMMENT "flatc ${schema}.fbs"
      VERBATIM)
    list(APPEND headers "${header}")
  endforeach()
  target_sources(${target} PRIVATE ${headers})
endfunction()
