# Embeds the contract into the api module: docs/openapi.yaml, turned into JSON, as one generated source.
#
#   td_embed_openapi(td_api)                                   from src/CMakeLists.txt
find_package(Python3 REQUIRED COMPONENTS Interpreter)

function(td_embed_openapi target)
  set(yaml "${PROJECT_SOURCE_DIR}/docs/openapi.yaml")
  set(script "${PROJECT_SOURCE_DIR}/cmake/embed_openapi.py")
  set(out "${PROJECT_BINARY_DIR}/generated/openapi_data.cc")
  add_custom_command(OUTPUT "${out}"
    COMMAND "${Python3_EXECUTABLE}" -B "${script}" "${yaml}" "${PROJECT_VERSION}" "${out}"
    DEPENDS "${yaml}" "${script}"
    COMMENT "Embedding docs/openapi.yaml" VERBATIM)
  target_sources(${target} PRIVATE "${out}")
endfunction()
