// Blocks, flags, barriers, mask and scale registers, atomics, cache control.
#ifndef EMU_SYSTEM_H
#define EMU_SYSTEM_H

#include "emu/tensor.h"

#define KERNEL_TASK_TYPE_DEFAULT(type)
#if __CCE_AICORE__ == 220
#if defined(__DAV_C220_CUBE__)
#define ASCEND_IS_AIC constexpr(true)
#define ASCEND_IS_AIV constexpr(false)
#else
#define ASCEND_IS_AIC constexpr(false)
#define ASCEND_IS_AIV constexpr(true)
#endif
#endif

namespace AscendC {

EMU_API int64_t GetBlockIdx() { return emu::blockIndex(); }
EMU_API int64_t GetBlockNum() { return emu::blockCount(); }
#if __CCE_AICORE__ == 220
EMU_API int64_t GetSubBlockIdx() { return emu::subBlock(); }
EMU_API int64_t GetSubBlockNum() { return 2; }
#endif

template <HardEvent event> EMU_API void SetFlag(int32_t eventID, EMU_LOC)
{
    emu::setFlag(static_cast<uint8_t>(event), eventID, loc.line, false);
}
template <HardEvent event> EMU_API void WaitFlag(int32_t eventID, EMU_LOC)
{
    emu::waitFlag(static_cast<uint8_t>(event), eventID, loc.line, false);
}
template <pipe_t pipe> EMU_API void PipeBarrier(EMU_LOC)
{
    static_assert(pipe != PIPE_S, "PipeBarrier: PIPE_S is not allowed");
    static_assert(pipe != PIPE_FIX || !emu::k310, "PipeBarrier: this chip has no PIPE_FIX");
    emu::barrier(emu::pipeOf(pipe), loc.line);
}

template <typename T, MaskMode mode = MaskMode::NORMAL>
EMU_API void SetVectorMask(const uint64_t maskHigh, const uint64_t maskLow, EMU_LOC)
{
    emu::setVectorMask(maskHigh, maskLow, mode == MaskMode::COUNTER, loc.line);
}
template <typename T, MaskMode mode = MaskMode::NORMAL>
EMU_API void SetVectorMask(int32_t len, EMU_LOC)
{
    if (mode == MaskMode::COUNTER) {
        emu::setVectorMask(0, static_cast<uint64_t>(len), true, loc.line);
        return;
    }
    uint64_t low = len >= 64 ? ~0ull : (1ull << len) - 1ull;
    uint64_t high = len >= 128 ? ~0ull : len > 64 ? (1ull << (len - 64)) - 1ull : 0;
    emu::setVectorMask(high, low, false, loc.line);
}
EMU_API void SetMaskCount() { emu::setMaskMode(true); }
EMU_API void SetMaskNorm() { emu::setMaskMode(false); }
EMU_API void ResetMask() { emu::resetMask(); }
EMU_API void SetDeqScale(half scale) { emu::setDeqScale(scale.bits); }
EMU_API void InitSocState() { emu::initState(); }

template <typename T> EMU_API void SetAtomicAdd()
{
#if __CCE_AICORE__ == 220
    EMU_TYPES("SetAtomicAdd", T, float, half, int16_t, int32_t, int8_t, bfloat16_t);
#else
    EMU_TYPES("SetAtomicAdd", T, float, half, int16_t);
#endif
    emu::setAtomic(1 + emu::TypeOf<T>::value);
}
EMU_API void SetAtomicNone() { emu::setAtomic(0); }

template <typename T, CacheLine type>
EMU_API void DataCacheCleanAndInvalid(const GlobalTensor<T>& dst, EMU_LOC)
{
    emu::flushCache(dst.operand(), type == CacheLine::ENTIRE_DATA_CACHE, loc.line);
}
#if __CCE_AICORE__ == 220
template <typename T, CacheLine type, DcciDst to>
EMU_API void DataCacheCleanAndInvalid(const GlobalTensor<T>& dst, EMU_LOC)
{
    static_assert(to == DcciDst::CACHELINE_OUT || to == DcciDst::CACHELINE_ALL,
        "DataCacheCleanAndInvalid: global memory needs CACHELINE_OUT");
    emu::flushCache(dst.operand(), type == CacheLine::ENTIRE_DATA_CACHE, loc.line);
}
template <bool isAIVOnly = true> EMU_API void SyncAll(EMU_LOC) { emu::syncAll(isAIVOnly, loc.line);
    }
template <uint8_t modeId, pipe_t pipe> EMU_API void CrossCoreSetFlag(uint16_t flagId, EMU_LOC)
{
    static_assert(modeId <= 2, "CrossCoreSetFlag: modes are 0, 1 and 2");
    static_assert(pipe != PIPE_ALL, "CrossCoreSetFlag: the flag is raised by one pipe");
    emu::crossSet(modeId, emu::pipeOf(pipe), flagId, loc.line);
}
EMU_API void CrossCoreWaitFlag(uint16_t flagId, EMU_LOC) { emu::crossWait(flagId, loc.line); }
#endif
template <bool isAIVOnly = true>
EMU_API void SyncAll(const GlobalTensor<int32_t>& gmWorkspace,
    const LocalTensor<int32_t>& ubWorkspace, const int32_t usedCores = 0, EMU_LOC)
{
    emu::syncAllSoft(gmWorkspace.operand(), ubWorkspace.operand(), usedCores, loc.line);
}

} // namespace AscendC
#endif
