# Which of ggml's GPU kernels the HIP module holds. Whisper needs few of them: flash attention with head size 64 and F16
# keys and values, products of its weight types, and a dozen other operations. The vendored sources are chosen from, not
# changed; binding/kernels has what stands between them. See docs/hip-build.md.
option(WHISPER_HIP_ALL_KERNELS "Build all GPU kernels of ggml instead of those that Whisper runs" OFF)

set(KERNELS_DIR "${CMAKE_CURRENT_SOURCE_DIR}/binding/kernels")
set(GGML_CUDA_DIR "${GGML_DIR}/src/ggml-cuda")

# Sets `variable` to the paths of ggml's sources of these names.
function(ggml_cuda_sources variable)
  list(TRANSFORM ARGN REPLACE "^(.+)$" "${GGML_CUDA_DIR}/\\1.cu" OUTPUT_VARIABLE paths)
  set(${variable} ${paths} PARENT_SCOPE)
endfunction()

# Compiles the sources in the list `variable` as if they began with one of our headers.
function(begin_with header variable)
  set(path "${KERNELS_DIR}/${header}")
  set(options -include "${path}" ${ARGN})
  set_source_files_properties(${${variable}} TARGET_DIRECTORY ggml-hip
    PROPERTIES COMPILE_OPTIONS "${options}" OBJECT_DEPENDS "${path}")
endfunction()

# Warns of what lies in a folder of ours, and of nothing that it includes from others. Compilers of ROCm differ in what they
# warn of: here warnings are not errors.
function(warn_of_own_sources target folder)
  get_target_property(sources ${target} SOURCES)
  foreach(source IN LISTS sources)
    string(FIND "${source}" "${folder}/" place)
    if(place EQUAL 0)
      set(options -Wall -Wextra)
    else()
      set(options -w)
    endif()
    set_property(SOURCE "${source}" TARGET_DIRECTORY ${target} APPEND PROPERTY COMPILE_OPTIONS ${options})
  endforeach()
endfunction()

# clang gives each unit a name that it makes of its absolute path, and writes it into the code object: the same sources in another
# folder would give other bytes.
function(name_units_by_source target)
  get_target_property(sources ${target} SOURCES)
  list(FILTER sources INCLUDE REGEX "\\.cu$")
  foreach(source IN LISTS sources)
    file(RELATIVE_PATH path "${CMAKE_SOURCE_DIR}" "${source}")
    string(MD5 name "${path}")
    string(SUBSTRING "${name}" 0 16 name)
    set_property(SOURCE "${source}" TARGET_DIRECTORY ${target} APPEND PROPERTY COMPILE_OPTIONS "-cuid=${name}")
  endforeach()
endfunction()

function(choose_hip_kernels)
  set(quantised q2_k q3_k q4_0 q4_1 q4_k q5_0 q5_1 q5_k q6_k q8_0)
  list(TRANSFORM quantised PREPEND "template-instances/mmq-instance-")
  foreach(columns RANGE 1 8)
    list(APPEND few_columns "template-instances/mmf-instance-ncols_${columns}")
  endforeach()
  foreach(columns RANGE 9 16)
    list(APPEND many_columns "template-instances/mmf-instance-ncols_${columns}")
  endforeach()
  ggml_cuda_sources(mmq_instances ${quantised})
  ggml_cuda_sources(mmf_instances ${few_columns})
  ggml_cuda_sources(mmf_instances_of_many ${many_columns})
  # In step with has_kernels() in binding/kernels/module.cpp.
  ggml_cuda_sources(kept convert cpy fattn-tile ggml-cuda im2col norm quantize unary)
  set(units binbcast_unit fattn_mma_unit fattn_tile_unit fattn_unit fattn_vec_unit getrows_unit mmf_unit mmq_unit
    mmvf_unit mmvq_unit setrows_unit softmax_unit)
  list(TRANSFORM units REPLACE "^(.+)$" "${KERNELS_DIR}/\\1.cu")

  set(sources ${kept} ${mmq_instances} ${mmf_instances} ${mmf_instances_of_many} ${units})
  set_target_properties(ggml-hip PROPERTIES SOURCES "${sources};${KERNELS_DIR}/left_out.cpp")
  set_source_files_properties(${sources} TARGET_DIRECTORY ggml-hip PROPERTIES LANGUAGE HIP)
  begin_with(mmq_tiles.h mmq_instances)
  begin_with(mmf_f16.h mmf_instances)
  begin_with(mmf_f16.h mmf_instances_of_many -DWHISPER_HIP_MANY_COLUMNS)
  target_compile_options(ggml-hip PRIVATE
    "$<$<COMPILE_LANGUAGE:HIP>:SHELL:-include \"${KERNELS_DIR}/no_device_code.h\">")
endfunction()

function(add_all_hip_kernels)
  get_target_property(sources ggml-hip SOURCES)
  list(FILTER sources EXCLUDE REGEX "/(getrows|softmax)\\.cu$")
  set(units "${KERNELS_DIR}/getrows_unit.cu" "${KERNELS_DIR}/softmax_unit.cu")
  set_target_properties(ggml-hip PROPERTIES SOURCES "${sources};${units}")
  set_source_files_properties(${units} TARGET_DIRECTORY ggml-hip PROPERTIES LANGUAGE HIP)
  target_compile_definitions(ggml-hip PRIVATE WHISPER_HIP_ALL_KERNELS)
endfunction()

if(WHISPER_HIP_HIP)
  include(CheckCompilerFlag)
  if(WHISPER_HIP_ALL_KERNELS)
    set(HIP_KERNELS all)
    add_all_hip_kernels()
  else()
    set(HIP_KERNELS whisper)
    choose_hip_kernels()
  endif()
  target_sources(ggml-hip PRIVATE "${KERNELS_DIR}/module.cpp")
  target_include_directories(ggml-hip SYSTEM PRIVATE "${GGML_DIR}/src" "${GGML_DIR}/include")
  list(JOIN GPU_TARGETS "," targets)
  set_source_files_properties("${KERNELS_DIR}/module.cpp" TARGET_DIRECTORY ggml-hip
    PROPERTIES COMPILE_DEFINITIONS "WHISPER_HIP_TARGETS=\"${targets}\";WHISPER_HIP_HIP_VERSION=\"${hip_VERSION}\"")
  # module.cpp has the entry.
  set_source_files_properties("${GGML_CUDA_DIR}/ggml-cuda.cu" TARGET_DIRECTORY ggml-hip
    PROPERTIES COMPILE_OPTIONS -UGGML_BACKEND_DL)
  warn_of_own_sources(ggml-hip "${KERNELS_DIR}")
  name_units_by_source(ggml-hip)
  # See docs/decisions/0021-uncompressed-code-objects.md. A compiler that knows the flag may compress by default.
  check_compiler_flag(HIP --no-offload-compress HAVE_NO_OFFLOAD_COMPRESS)
  if(HAVE_NO_OFFLOAD_COMPRESS)
    target_compile_options(ggml-hip PRIVATE $<$<COMPILE_LANGUAGE:HIP>:--no-offload-compress>)
  endif()
  # Nine local symbols for each kernel, which tell the linker of its registers. The others stay: ROCr finds the kernels by
  # the symbol table of a code object, not by its dynamic one.
  target_compile_options(ggml-hip PRIVATE "$<$<COMPILE_LANGUAGE:HIP>:SHELL:-Xoffload-linker --discard-all>")
  target_link_options(ggml-hip PRIVATE LINKER:-z,defs) # a kernel that is neither there nor in left_out.cpp
endif()
