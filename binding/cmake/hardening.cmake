# What the outputs may show and how they defend themselves.
include(CheckCXXCompilerFlag)
include(CheckCXXSourceCompiles)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

# Every output: read-only relocations, no executable stack, never unloaded (threads and thread-local state outlive a
# dlclose), no symbol table, and no path of the machine that built it. The last matching prefix wins.
add_link_options(LINKER:-z,relro LINKER:-z,now LINKER:-z,noexecstack LINKER:-z,nodelete LINKER:--exclude-libs,ALL
  $<$<CONFIG:Release>:-s>)
# ccache gives the compiler paths that are relative to the folder of the build: they are named alike.
function(hide_path path name)
  file(RELATIVE_PATH relative "${CMAKE_BINARY_DIR}" "${path}")
  string(REGEX REPLACE "/$" "" relative "${relative}")
  add_compile_options("-ffile-prefix-map=${relative}=${name}" "-ffile-prefix-map=${path}=${name}")
endfunction()
hide_path("${CMAKE_SOURCE_DIR}" .)
add_compile_options("-ffile-prefix-map=${CMAKE_BINARY_DIR}=build")
foreach(directory IN LISTS CMAKE_JS_INC)
  hide_path("${directory}" include)
endforeach()

# glibc ends the process when a thread finds no memory for the thread-local data of a module; with this model each thread
# starts with room for them. Other C libraries cannot load such a module at run time.
check_cxx_source_compiles("#include <cstdlib>\n#ifndef __GLIBC__\n#error\n#endif\nint main() { return 0; }" HAVE_GLIBC)
if(HAVE_GLIBC)
  add_compile_options(-ftls-model=initial-exec)
endif()

check_cxx_compiler_flag(-ftrivial-auto-var-init=zero HAVE_AUTO_VAR_INIT)
check_cxx_compiler_flag(-fstack-protector-strong HAVE_STACK_PROTECTOR)
set(CMAKE_REQUIRED_FLAGS "-O2 -Werror -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3")
check_cxx_source_compiles("#include <cstring>\nint main() { return 0; }" HAVE_FORTIFY_3)
unset(CMAKE_REQUIRED_FLAGS)

# Our own code and whisper.cpp; ggml's kernels are left as upstream compiles them.
function(harden_addon target)
  set_target_properties(${target} PROPERTIES CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  target_compile_definitions(${target} PRIVATE _GLIBCXX_ASSERTIONS)
  target_compile_options(${target} PRIVATE
    -U_FORTIFY_SOURCE
    $<$<CONFIG:Release>:-D_FORTIFY_SOURCE=$<IF:$<BOOL:${HAVE_FORTIFY_3}>,3,2>>
    $<$<BOOL:${HAVE_STACK_PROTECTOR}>:-fstack-protector-strong>
    $<$<BOOL:${HAVE_AUTO_VAR_INIT}>:-ftrivial-auto-var-init=zero>)
endfunction()

# Everything but the named symbols becomes local, a replaced operator new included. A program needs to name none.
function(export_only target)
  set(global "")
  if(ARGN)
    list(JOIN ARGN "; " symbols)
    set(global "global: ${symbols}; ")
  endif()
  set(script "${CMAKE_BINARY_DIR}/${target}.map")
  file(GENERATE OUTPUT "${script}" CONTENT "{ ${global}local: *; };\n") # leaves an equal file alone
  target_link_options(${target} PRIVATE "LINKER:--version-script=${script}")
  set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS "${script}")
endfunction()
