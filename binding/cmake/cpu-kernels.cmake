# Our kernels for x86-64 (binding/cpu/), compiled once for each instruction set and put into the CPU modules of the
# processors that have it. They stand in the place of ggml's repack.cpp. Needs vendor.cmake.
if(NOT CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
  return()
endif()

set(cpu_sources_dir "${CMAKE_SOURCE_DIR}/binding/cpu")

function(add_cpu_objects name sources)
  add_library(${name} OBJECT EXCLUDE_FROM_ALL ${sources})
  set_target_properties(${name} PROPERTIES CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  target_compile_features(${name} PRIVATE cxx_std_17)
  target_compile_definitions(${name} PRIVATE GGML_BACKEND_DL GGML_BACKEND_SHARED)
  target_include_directories(${name} PRIVATE "${CMAKE_SOURCE_DIR}/binding")
  target_include_directories(${name} SYSTEM PRIVATE
    "${GGML_DIR}/include" "${GGML_DIR}/src" "${GGML_DIR}/src/ggml-cpu")
  target_compile_options(${name} PRIVATE ${OWN_WARNINGS} ${ARGN})
endfunction()

# Products and sums are not joined behind our back, so that numbers are the same on each instruction set, and sums of
# integers are not put off until all registers are full of terms. Registers that intrinsics of GCC leave undefined on
# purpose are none that we forgot.
function(add_cpu_kernels name)
  string(TOLOWER "${name}" file)
  add_cpu_objects(cpu_kernels_${name} "${cpu_sources_dir}/kernels_${file}.cpp"
    -O3 -ffp-contract=off -fno-tree-reassoc -mavx2 -mfma -mf16c ${ARGN} -Wno-uninitialized -Wno-maybe-uninitialized -Wno-unknown-pragmas)
endfunction()

set(avx512 -mavx512f -mavx512bw -mavx512dq -mavx512vl)
add_cpu_objects(cpu_operations
  "${cpu_sources_dir}/choose_kernels.cpp;${cpu_sources_dir}/operations.cpp;${cpu_sources_dir}/packed_layout.cpp;${cpu_sources_dir}/packed_weights.cpp"
  -O3)
add_cpu_kernels(avx2)
add_cpu_kernels(avx512 ${avx512})
add_cpu_kernels(avx512_vnni ${avx512} -mavx512vnni)
check_cxx_compiler_flag(-mavxvnni HAVE_AVX_VNNI)
if(HAVE_AVX_VNNI)
  add_cpu_kernels(avx_vnni -mavxvnni)
endif()

# The kernels of a module, by ggml's name of its processors; those of this machine by its features.
function(kernels_of module result)
  string(REPLACE "ggml-cpu" "" processors "${module}")
  set(kernels "")
  if(processors MATCHES "^-(haswell|skylakex|cannonlake|cascadelake|icelake|cooperlake|zen4|alderlake)$"
      OR (processors STREQUAL "" AND NATIVE_FEATURES MATCHES " AVX2" AND NATIVE_FEATURES MATCHES " FMA"
        AND NATIVE_FEATURES MATCHES " F16C"))
    list(APPEND kernels avx2)
  endif()
  if(HAVE_AVX_VNNI AND (processors STREQUAL "-alderlake" OR (kernels AND NATIVE_FEATURES MATCHES " AVX_VNNI")))
    list(APPEND kernels avx_vnni)
  endif()
  if(processors MATCHES "^-(skylakex|cannonlake|cascadelake|icelake|cooperlake|zen4)$"
      OR (kernels AND NATIVE_FEATURES MATCHES " AVX512( |$)"))
    list(APPEND kernels avx512)
  endif()
  if(processors MATCHES "^-(cascadelake|icelake|cooperlake|zen4)$"
      OR (kernels AND NATIVE_FEATURES MATCHES " AVX512_VNNI"))
    list(APPEND kernels avx512_vnni)
  endif()
  set(${result} "${kernels}" PARENT_SCOPE)
endfunction()

set_source_files_properties("${GGML_DIR}/src/ggml-cpu/repack.cpp" "${GGML_DIR}/src/ggml-cpu/arch/x86/repack.cpp"
  TARGET_DIRECTORY ${cpu_modules} PROPERTIES HEADER_FILE_ONLY ON)
foreach(module IN LISTS cpu_modules)
  kernels_of(${module} kernels)
  target_sources(${module} PRIVATE $<TARGET_OBJECTS:cpu_operations>)
  foreach(kernel IN LISTS kernels)
    target_sources(${module} PRIVATE $<TARGET_OBJECTS:cpu_kernels_${kernel}>)
  endforeach()
endforeach()
