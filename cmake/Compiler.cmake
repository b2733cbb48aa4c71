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

# Checks of a sanitizer multiply what the optimiser has to read: -O1 compiles in half the time of -O2, and what is looked
# for is the same. GCC 12 warns of values never set that its own checks make up (bug 105562).
if(TAPEDECK_SANITIZE)
  set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O1 -g1")
  add_compile_options(-fsanitize=${TAPEDECK_SANITIZE} -fno-sanitize-recover=all)
  target_compile_options(td_flags INTERFACE -Wno-maybe-uninitialized)
  add_link_options(-fsanitize=${TAPEDECK_SANITIZE})
else()
  add_link_options(-pie -Wl,-z,relro,-z,now)
  if(NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
    target_compile_definitions(td_flags INTERFACE _FORTIFY_SOURCE=2)
  endif()
endif()
