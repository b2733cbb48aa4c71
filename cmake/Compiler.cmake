# Compiler settings shared by every target: warnings are errors, hardening is on, ccache is used when installed.
find_program(TAPEDECK_CCACHE ccache)
if(TAPEDECK_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${TAPEDECK_CCACHE}")
endif()

find_program(TAPEDECK_LLD ld.lld)
if(TAPEDECK_LLD)
  add_link_options(-fuse-ld=lld)
endif()

set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1")
set(CMAKE_CXX_FLAGS_DEBUG "-O0 -g")

add_library(td_flags INTERFACE)
target_compile_options(td_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wimplicit-fallthrough -Wno-missing-field-initializers -Werror
  -fno-omit-frame-pointer -fstack-protector-strong)

if(TAPEDECK_SANITIZE)
  add_compile_options(-fsanitize=${TAPEDECK_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${TAPEDECK_SANITIZE})
else()
  add_link_options(-pie -Wl,-z,relro,-z,now)
  if(NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
    target_compile_definitions(td_flags INTERFACE _FORTIFY_SOURCE=2)
  endif()
endif()
