# The vendored whisper.cpp tree: versions, ggml's options, and the names of its libraries.
# Sets WHISPER_DIR, GGML_DIR, WHISPER_VERSION, GGML_VERSION, GGML_COMMIT, WHISPER_HIP_VERSION, GGML_MODULES,
# NATIVE_FEATURES (of a build for this machine).
set(WHISPER_DIR "${CMAKE_SOURCE_DIR}/vendor/whisper.cpp")
set(GGML_DIR "${WHISPER_DIR}/ggml")
if(NOT EXISTS "${GGML_DIR}/CMakeLists.txt")
  message(FATAL_ERROR "${WHISPER_DIR} does not hold whisper.cpp: run `node scripts/vendor.mjs`")
endif()

file(READ "${CMAKE_SOURCE_DIR}/package.json" package)
string(JSON WHISPER_HIP_VERSION GET "${package}" version)
file(READ "${CMAKE_SOURCE_DIR}/vendor/whisper.cpp.json" manifest)
string(JSON WHISPER_VERSION GET "${manifest}" version)

# Backends are modules that the addon loads by path. OpenMP is off: its threads spin between jobs.
set(BUILD_SHARED_LIBS ON)
set(GGML_BACKEND_DL ON)
set(GGML_LLAMAFILE ON)
set(GGML_OPENMP OFF)
set(GGML_ALL_WARNINGS OFF)
set(GGML_BUILD_TESTS OFF)
set(GGML_BUILD_EXAMPLES OFF)
set(GGML_CCACHE OFF) # launched below, for our sources too
set(GGML_BUILD_COMMIT "whisper.cpp-v${WHISPER_VERSION}")
set(GIT_EXE "") # else the commit of whichever repository surrounds this folder lands in the library

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  foreach(language C CXX HIP)
    if(NOT CMAKE_${language}_COMPILER_LAUNCHER)
      set(CMAKE_${language}_COMPILER_LAUNCHER "${CCACHE_PROGRAM}")
    endif()
  endforeach()
endif()

# With modules ggml refuses GGML_NATIVE on x86, because the module's score function checks the features that it is
# told. So the features of -march=native are told one by one, and a build that is moved to a lesser machine is
# rejected there by its score instead of dying of an illegal instruction. AMX is not among them: see below.
function(use_native_features)
  execute_process(COMMAND "${CMAKE_CXX_COMPILER}" -march=native -dM -E -x c++ /dev/null
    OUTPUT_VARIABLE macros RESULT_VARIABLE status)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "${CMAKE_CXX_COMPILER} does not know -march=native: build with WHISPER_HIP_PORTABLE=1")
  endif()
  set(names
    SSE42=SSE4_2 AVX=AVX AVX2=AVX2 BMI2=BMI2 FMA=FMA F16C=F16C AVX_VNNI=AVXVNNI
    AVX512=AVX512F,AVX512CD,AVX512VL,AVX512DQ,AVX512BW
    AVX512_VBMI=AVX512VBMI AVX512_VNNI=AVX512VNNI AVX512_BF16=AVX512BF16)
  foreach(entry IN LISTS names)
    string(REGEX MATCH "^([^=]+)=(.*)$" _ "${entry}")
    set(feature ${CMAKE_MATCH_1})
    string(REPLACE "," ";" needed "${CMAKE_MATCH_2}")
    set(present ON)
    foreach(macro IN LISTS needed)
      if(NOT macros MATCHES "#define __${macro}__ 1")
        set(present OFF)
      endif()
    endforeach()
    set(GGML_${feature} ${present} PARENT_SCOPE)
    if(present)
      string(APPEND found " ${feature}")
    endif()
  endforeach()
  set(NATIVE_FEATURES "${found}" PARENT_SCOPE)
endfunction()

set(GGML_CPU_ALL_VARIANTS ${WHISPER_HIP_PORTABLE})
if(WHISPER_HIP_PORTABLE)
  set(GGML_NATIVE OFF)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
  set(GGML_NATIVE OFF)
  use_native_features()
else()
  set(GGML_NATIVE ON)
endif()

unset(GGML_AVAILABLE_BACKENDS CACHE) # ggml appends to it on every configure
add_subdirectory("${GGML_DIR}" ggml EXCLUDE_FROM_ALL)
# The AMX kernels keep 64 KB in every thread, which no library that is loaded at run time can reserve, and die of an
# illegal instruction where it can. AMD has no AMX; Intel processors that have it use the module of zen4.
set(GGML_MODULES ${GGML_AVAILABLE_BACKENDS})
list(REMOVE_ITEM GGML_MODULES ggml-cpu-sapphirerapids)
# Modules for processors that the compiler does not know are left out: SME is of GCC 14.
if(WHISPER_HIP_PORTABLE AND CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64|ARM64)$")
  check_cxx_compiler_flag(-march=armv9.2-a+sve+sme HAVE_SME)
  if(NOT HAVE_SME)
    list(FILTER GGML_MODULES EXCLUDE REGEX "^ggml-cpu-armv9")
  endif()
endif()
get_directory_property(GGML_VERSION DIRECTORY "${GGML_DIR}" DEFINITION GGML_VERSION)
get_directory_property(GGML_COMMIT DIRECTORY "${GGML_DIR}" DEFINITION GGML_BUILD_COMMIT)

# glibc takes a library whose SONAME is already loaded for the one that is needed, whatever its path. A name that only
# this package and version has keeps other addons' ggml apart from ours. No version means no symbolic links.
set_target_properties(ggml-base PROPERTIES OUTPUT_NAME "ggml-base-whisper-hip-${WHISPER_HIP_VERSION}")
foreach(library ggml-base ${GGML_MODULES})
  set_property(TARGET ${library} PROPERTY VERSION)
  set_property(TARGET ${library} PROPERTY SOVERSION)
  if(NOT library STREQUAL "ggml-hip") # see hip-kernels.cmake
    target_compile_options(${library} PRIVATE -w)
  endif()
endforeach()

# Waiting threads give their core away: see the header.
set(cpu_modules ${GGML_MODULES})
list(FILTER cpu_modules INCLUDE REGEX "^ggml-cpu")
foreach(module IN LISTS cpu_modules)
  target_compile_options(${module} PRIVATE
    "$<$<COMPILE_LANGUAGE:C>:SHELL:-include \"${CMAKE_SOURCE_DIR}/binding/backend/patient_wait.h\">")
endforeach()

# Two loops of attention use vectors: see the header.
set_source_files_properties("${GGML_DIR}/src/ggml-cpu/ops.cpp" TARGET_DIRECTORY ${cpu_modules}
  PROPERTIES COMPILE_OPTIONS "-include;${CMAKE_SOURCE_DIR}/binding/backend/attention_loops.h")

# zlib, of which the compression ratio of a text needs the compressor.
set(ZLIB_SOURCE_DIR "${CMAKE_SOURCE_DIR}/vendor/zlib")
add_library(zlib_compressor STATIC EXCLUDE_FROM_ALL)
foreach(source adler32 compress crc32 deflate trees zutil)
  target_sources(zlib_compressor PRIVATE "${ZLIB_SOURCE_DIR}/${source}.c")
endforeach()
target_include_directories(zlib_compressor SYSTEM PUBLIC "${ZLIB_SOURCE_DIR}")
target_compile_options(zlib_compressor PRIVATE -w)
set_target_properties(zlib_compressor PROPERTIES C_VISIBILITY_PRESET hidden)
