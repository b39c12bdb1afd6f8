package soc

import "slices"

const flagsMissing = "kernels end, or SyncAll with workspaces, are the only order between cores"

// syncAPIs is flags, barriers and order between cores.
var syncAPIs = slices.Concat(
	grouped(GroupSync, []API{
		both("PipeBarrier", 0).note("not of PIPE_S"),
		both("SetFlag", 0).note("one flag of one pair is set once before it is waited for"),
		both("WaitFlag", 0),
		both("TQueSync", 0),
		only910B("DataSyncBarrier", 0),
		both("SyncAll", 0).form("workspace").note("all blocks resident: at most ai_cores; not on the extra vector cores"),
		only910B("SyncAll", 0).form("hardware").from(Headers).
			note("compiles for the 310P and asserts at run time").instead("SyncAll(gmWorkspace, ubWorkspace)"),
		only910B("CrossCoreSetFlag", 0).instead(flagsMissing),
		only910B("CrossCoreWaitFlag", 0).instead(flagsMissing),
	}),
	plain(GroupSync, "", "IBSet", "IBWait", "InitDetermineComputeWorkspace", "WaitPreBlock",
		"NotifyNextBlock"),
	grouped(GroupSync, []API{compileOnly("SetNextTaskStart"), compileOnly("WaitPreTaskEnd")}),
)

// compileOnly is what the 310P accepts and ignores.
func compileOnly(name string) API {
	a := both(name, 0)
	a.On310P = CompileOnly
	return a
}

// resourceAPIs is memory of a core, queues and workspaces. The form is the class.
var resourceAPIs = slices.Concat(
	plain(GroupResource, "", "GetTPipePtr", "PopStackBuffer", "GetSysWorkSpacePtr",
		"GetUserWorkspace", "SetSysWorkSpace", "ListTensorDesc"),
	plain(GroupResource, "TPipe", "TPipe", "Init", "Destroy", "DestroyWithoutPipeAll",
		"InitBuffer", "InitBufPool", "Reset", "AllocEventID", "ReleaseEventID", "FetchEventID",
		"GetBaseAddr", "InitSpmBuffer", "ReadSpmBuffer", "WriteSpmBuffer"),
	plain(GroupResource, "TQue", "AllocTensor", "FreeTensor", "EnQue", "DeQue", "VacantInQue",
		"HasTensorInQue", "GetTensorCountInQue", "HasIdleBuffer"),
	plain(GroupResource, "TBuf", "TBuf", "Get", "GetWithOffset"),
	plain(GroupResource, "TBufPool", "TBufPool", "InitBufPool", "InitBuffer", "Reset"),
	plain(GroupResource, "LocalMemAllocator", "LocalMemAllocator", "Alloc", "GetCurAddr"),
)

// tensorAPIs is methods of tensors. The form is the class.
var tensorAPIs = slices.Concat(
	plain(GroupTensor, "GlobalTensor", "GlobalTensor", "SetGlobalBuffer", "GetPhyAddr",
		"GetValue", "SetValue", "GetSize", "GetShapeInfo", "SetShapeInfo", "operator[]"),
	grouped(GroupTensor, []API{
		only910B("SetL2CacheHint", 0).form("GlobalTensor").note("a shipped 310P kernel calls it all the same"),
		only910B("operator()", 0).form("GlobalTensor").instead("SetValue"),
	}),
	plain(GroupTensor, "LocalTensor", "LocalTensor", "GetPhyAddr", "GetValue", "SetValue",
		"GetSize", "SetSize", "GetLength", "GetPosition", "GetShapeInfo", "SetShapeInfo",
		"GetUserTag", "SetUserTag", "Print", "ToFile", "ReinterpretCast", "SetAddrWithOffset",
		"SetBufferLen", "operator[]", "operator()"),
)

// systemAPIs is the scalar unit, atomics, caches, tiling and debugging.
var systemAPIs = slices.Concat(
	plain(GroupScalar, "", "GetBlockIdx", "GetBlockNum", "GetTaskRatio", "GetArchVersion",
		"GetDataBlockSizeInBytes", "GetProgramCounter", "InitSocState"),
	plain910B(GroupScalar, "", "GetSubBlockIdx", "GetSubBlockNum", "GetSystemCycle", "Async",
		"ReadGmByPassDCache", "WriteGmByPassDCache", "GetCtrlSpr", "SetCtrlSpr",
		"GetSaturationFlag", "SetSaturationFlag"),
	grouped(GroupScalar, []API{
		both("ScalarCast", 0).renamed("Cast").form("scalar").note("from float to half or int32"),
		only910B("ToBfloat16", 0).renamed("Cast").form("scalar to bfloat16"),
		only910B("ToFloat", 0).renamed("Cast").form("scalar to float").instead("a Cast of one element in UB"),
		both("CountBitsCntSameAsSignBit", 0),
		both("ScalarCountLeadingZero", 0).renamed("CountLeadingZero"),
		both("ScalarGetCountOfValue", 0).renamed("GetBitCount"),
		both("ScalarGetSFFValue", 0).renamed("GetSFFValue"),
	}),
	grouped(GroupAtomic, []API{
		row("SetAtomicAdd", set(Int16, Half, Float), set(Int8, Int16, Half, BFloat16, Int32, Float)),
		row("SetAtomicType", set(Int16, Half, Float), set(Int8, Int16, Half, BFloat16, Int32, Float)),
		both("SetAtomicNone", 0).renamed("DisableDmaAtomic"),
		only910B("SetAtomicMax", set(Int8, Int16, Half, BFloat16, Int32, Float)).instead("a reduction over a workspace"),
		only910B("SetAtomicMin", set(Int8, Int16, Half, BFloat16, Int32, Float)).instead("a reduction over a workspace"),
		only910B("GetStoreAtomicConfig", 0),
		only910B("SetStoreAtomicConfig", 0),
	}),
	grouped(GroupCache, []API{
		both("DataCacheCleanAndInvalid", 0).form("line").note("two template arguments"),
		only910B("DataCacheCleanAndInvalid", 0).form("line, destination").from(Headers).
			note("three template arguments do not compile for the 310P").
			instead("the form with two template arguments"),
		both("DataCachePreload", 0),
		both("ICachePreLoad", 0),
		only910B("GetICachePreloadStatus", 0),
	}),
	plain(GroupTiling, "", "COPY_TILING_WITH_ARRAY", "COPY_TILING_WITH_STRUCT", "GET_TILING_DATA",
		"GET_TILING_DATA_MEMBER", "GET_TILING_DATA_PTR_WITH_STRUCT",
		"GET_TILING_DATA_WITH_STRUCT", "REGISTER_TILING_DEFAULT", "REGISTER_TILING_FOR_TILINGKEY",
		"TILING_KEY_IS", "KERNEL_TASK_TYPE_DEFAULT"),
	plain910B(GroupTiling, "", "REGISTER_NONE_TILING", "TILING_KEY_LIST"),
	plain(GroupDebug, "", "GmAlloc", "GmFree", "ICPU_RUN_KF", "SetKernelMode", "DumpAccChkPoint",
		"DumpTensor", "CheckLocalMemoryIA", "Trap", "ascendc_assert", "assert"),
	plain910B(GroupDebug, "", "PrintTimeStamp", "MetricsProfStart", "MetricsProfStop"),
)
