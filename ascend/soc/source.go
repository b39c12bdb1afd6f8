package soc

// Source is where a number or a row is from: a short tag, explained by Sources.
type Source string

// The sources, those that the maker published first.
const (
	INI        Source = "ini 8.1.RC1"
	Headers    Source = "headers 8.1.RC1"
	CMake      Source = "cmake 8.1.RC1"
	Docs       Source = "asc-devkit docs"
	Docs2002   Source = "asc-devkit docs 2002"
	Docs2201   Source = "asc-devkit docs 2201"
	Impl       Source = "asc-devkit impl"
	Build      Source = "asc-devkit build"
	HCCLDocs   Source = "hccl docs"
	Shipped    Source = "shipped 310P kernel"
	Notes910B  Source = "shipped 910B notes"
	Catlass    Source = "catlass docs"
	Web        Source = "web"
	Calc       Source = "calc"
	Assumed    Source = "assumed"
	Unverified Source = "unverified"
	NotFound   Source = "not found" // nobody says: the value is 0 and means nothing
)

// SourceInfo explains a tag.
type SourceInfo struct {
	Source Source
	What   string
}

// Sources lists every tag in use, the most trustworthy first.
func Sources() []SourceInfo {
	return []SourceInfo{
		{INI, "platform_config/<SoC>.ini of an installed CANN 8.1.RC1"},
		{Headers, "kernel headers of an installed CANN 8.1.RC1"},
		{CMake, "ascendc_kernel_cmake of an installed CANN 8.1.RC1"},
		{Docs, "asc-devkit docs/zh, CANN 9.1-beta, commit 82b89a15: pages of the APIs and appendix of renamed APIs"},
		{Docs2002, "asc-devkit docs/zh, specification and constraints of NPU architecture 2002 (310P)"},
		{Docs2201, "asc-devkit docs/zh, specification and constraints of NPU architecture 2201 (910B)"},
		{Impl, "asc-devkit impl/basic_api, commit 82b89a15: what the API's code refuses on a chip"},
		{Build, "asc-devkit tools/build and cmake, commit 82b89a15: flags given to the device compiler"},
		{HCCLDocs, "hccl docs/zh/api_ref/comm_op_interface"},
		{Shipped, "ops-transformer quant_grouped_matmul_dequant, a tuned kernel for the 310P, and its config"},
		{Notes910B, "ops-transformer, measurements in the README of a 910B kernel"},
		{Catlass, "catlass docs, performance analysis for 910B"},
		{Web, "product pages and issues of third parties"},
		{Calc, "arithmetic on other rows of the same chip; a test repeats it"},
		{Assumed, "no source for this chip; taken over from the row named in the note"},
		{Unverified, "remembered figure without a source that could be read"},
		{NotFound, "looked for and not found"},
	}
}
