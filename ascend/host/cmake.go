package host

import (
	"fmt"

	"moge/ascend/kernel/device"
	"moge/ascend/soc"
)

// cmake8 builds a fat binary with the CMake functions that come with CANN 7 and 8. The kernels
// set every flag themselves, so the compiler's own synchronisation is off.
func cmake8(chip *soc.Chip, programs []*device.Program) []byte {
	return fmt.Appendf(nil, `cmake_minimum_required(VERSION 3.16)
project(moge_kernels LANGUAGES CXX)

set(SOC_VERSION "%s" CACHE STRING "chip")
set(RUN_MODE "npu" CACHE STRING "npu, sim or cpu")
if(NOT DEFINED ASCEND_CANN_PACKAGE_PATH)
  set(ASCEND_CANN_PACKAGE_PATH "$ENV{ASCEND_HOME_PATH}" CACHE PATH "where CANN is installed")
endif()
find_file(ASCENDC_CMAKE ascendc.cmake NO_DEFAULT_PATH PATHS
  "${ASCEND_CANN_PACKAGE_PATH}/compiler/tikcpp/ascendc_kernel_cmake"
  "${ASCEND_CANN_PACKAGE_PATH}/tools/tikcpp/ascendc_kernel_cmake")
if(NOT ASCENDC_CMAKE)
  message(FATAL_ERROR "ascendc.cmake is not below ${ASCEND_CANN_PACKAGE_PATH}: set ASCEND_CANN_PACKAGE_PATH")
endif()
include("${ASCENDC_CMAKE}")

set(KERNELS
%s)
ascendc_fatbin_library(moge_kernels ${KERNELS})
ascendc_compile_options(moge_kernels PRIVATE -O3 --cce-auto-sync=off)
`, chip.Text(soc.SOCVersion).Value, names(programs, ".cpp"))
}

// cmake9 builds a shared library with the CMake language of CANN 8.3 and later.
func cmake9(chip *soc.Chip, programs []*device.Program) []byte {
	return fmt.Appendf(nil, `cmake_minimum_required(VERSION 3.16)
set(CMAKE_ASC_ARCHITECTURES "%s" CACHE STRING "architecture")
find_package(ASC REQUIRED)
project(moge_kernels LANGUAGES ASC CXX)

set(KERNELS
%s)
add_library(moge_kernels SHARED ${KERNELS})
target_compile_options(moge_kernels PRIVATE $<$<COMPILE_LANGUAGE:ASC>:-O3 --cce-auto-sync=off>)
`, chip.Text(soc.ArchFlag).Value, names(programs, ".asc"))
}

// cmakeHost builds the program that launches every kernel once.
func cmakeHost() []byte {
	return []byte(`cmake_minimum_required(VERSION 3.16)
project(moge_smoke LANGUAGES CXX)
set(CMAKE_CXX_STANDARD 17)
if(NOT DEFINED ASCEND_CANN_PACKAGE_PATH)
  set(ASCEND_CANN_PACKAGE_PATH "$ENV{ASCEND_HOME_PATH}" CACHE PATH "where CANN is installed")
endif()

add_executable(smoke smoke.cpp)
target_include_directories(smoke PRIVATE ../include "${ASCEND_CANN_PACKAGE_PATH}/include")
target_link_directories(smoke PRIVATE "${ASCEND_CANN_PACKAGE_PATH}/lib64")
target_link_libraries(smoke PRIVATE ascendcl)
`)
}
