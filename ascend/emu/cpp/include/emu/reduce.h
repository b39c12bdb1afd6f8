// Reductions. The order of additions and the tie rule live in the runtime.
#ifndef EMU_REDUCE_H
#define EMU_REDUCE_H

#include "emu/vector.h"

namespace emu {

template <typename T>
inline Instr reduce(Op op, const AscendC::LocalTensor<T>& d, const AscendC::LocalTensor<T>& a,
    int32_t repeat, int32_t dstRep, int32_t srcBlk, int32_t srcRep, Loc loc)
{
    Instr i = vec(op, loc);
    i.d = d.operand(1, static_cast<uint16_t>(dstRep));
    i.s[0] = a.operand(static_cast<uint16_t>(srcBlk), static_cast<uint16_t>(srcRep));
    i.sources = 1;
    i.repeat = static_cast<uint32_t>(repeat);
    i.p[0] = dstRep;
    i.p[1] = srcBlk;
    i.p[2] = srcRep;
    return i;
}

} // namespace emu

namespace AscendC {

#define EMU_BLOCK_REDUCE(NAME) \
    template <typename T, bool isSetMask = true> \
    EMU_API void NAME(const LocalTensor<T>& dst, const LocalTensor<T>& src, \
        const int32_t repeat, const int32_t mask, const int32_t dstRepStride, \
        const int32_t srcBlkStride, const int32_t srcRepStride, EMU_LOC) \
    { \
        EMU_TYPES(#NAME, T, half, float); \
        emu::Instr i = \
            emu::reduce(emu::o##NAME, dst, src, repeat, dstRepStride, srcBlkStride, srcRepStride, \
                loc); \
        emu::lanes<isSetMask>(i, static_cast<uint64_t>(mask), i.repeat); \
        emu::issue(i); \
    } \
    template <typename T, bool isSetMask = true> \
    EMU_API void NAME(const LocalTensor<T>& dst, const LocalTensor<T>& src, \
        const int32_t repeat, const uint64_t mask[], const int32_t dstRepStride, \
        const int32_t srcBlkStride, const int32_t srcRepStride, EMU_LOC) \
    { \
        EMU_TYPES(#NAME, T, half, float); \
        emu::Instr i = \
            emu::reduce(emu::o##NAME, dst, src, repeat, dstRepStride, srcBlkStride, srcRepStride, \
                loc); \
        emu::bits<isSetMask>(i, mask, i.repeat); \
        emu::issue(i); \
    }
EMU_BLOCK_REDUCE(BlockReduceSum)
EMU_BLOCK_REDUCE(BlockReduceMax)
EMU_BLOCK_REDUCE(BlockReduceMin)
EMU_BLOCK_REDUCE(PairReduceSum)

template <typename T, bool isSetMask = true>
EMU_API void WholeReduceSum(const LocalTensor<T>& dst, const LocalTensor<T>& src,
    const int32_t mask, const int32_t repeatTimes, const int32_t dstRepStride,
    const int32_t srcBlkStride, const int32_t srcRepStride, EMU_LOC)
{
    EMU_TYPES("WholeReduceSum", T, half, float);
    emu::Instr i = emu::reduce(
        emu::oWholeReduceSum, dst, src, repeatTimes, dstRepStride, srcBlkStride, srcRepStride, loc);
    emu::lanes<isSetMask>(i, static_cast<uint64_t>(mask), i.repeat);
    emu::issue(i);
}
template <typename T, bool isSetMask = true>
EMU_API void WholeReduceSum(const LocalTensor<T>& dst, const LocalTensor<T>& src,
    const uint64_t mask[], const int32_t repeatTimes, const int32_t dstRepStride,
    const int32_t srcBlkStride, const int32_t srcRepStride, EMU_LOC)
{
    EMU_TYPES("WholeReduceSum", T, half, float);
    emu::Instr i = emu::reduce(
        emu::oWholeReduceSum, dst, src, repeatTimes, dstRepStride, srcBlkStride, srcRepStride, loc);
    emu::bits<isSetMask>(i, mask, i.repeat);
    emu::issue(i);
}

#define EMU_WHOLE_EXTREME(NAME) \
    template <typename T, bool isSetMask = true> \
    EMU_API void NAME(const LocalTensor<T>& dst, const LocalTensor<T>& src, \
        const int32_t mask, const int32_t repeatTimes, const int32_t dstRepStride, \
        const int32_t srcBlkStride, const int32_t srcRepStride, \
        ReduceOrder order = ReduceOrder::ORDER_VALUE_INDEX, EMU_LOC) \
    { \
        EMU_TYPES(#NAME, T, half, float); \
        emu::Instr i = emu::reduce( \
            emu::o##NAME, dst, src, repeatTimes, dstRepStride, srcBlkStride, srcRepStride, loc); \
        i.mode = static_cast<uint8_t>(order); \
        emu::lanes<isSetMask>(i, static_cast<uint64_t>(mask), i.repeat); \
        emu::issue(i); \
    } \
    template <typename T, bool isSetMask = true> \
    EMU_API void NAME(const LocalTensor<T>& dst, const LocalTensor<T>& src, \
        const uint64_t mask[], const int32_t repeatTimes, const int32_t dstRepStride, \
        const int32_t srcBlkStride, const int32_t srcRepStride, \
        ReduceOrder order = ReduceOrder::ORDER_VALUE_INDEX, EMU_LOC) \
    { \
        EMU_TYPES(#NAME, T, half, float); \
        emu::Instr i = emu::reduce( \
            emu::o##NAME, dst, src, repeatTimes, dstRepStride, srcBlkStride, srcRepStride, loc); \
        i.mode = static_cast<uint8_t>(order); \
        emu::bits<isSetMask>(i, mask, i.repeat); \
        emu::issue(i); \
    }
EMU_WHOLE_EXTREME(WholeReduceMax)
EMU_WHOLE_EXTREME(WholeReduceMin)

#define EMU_REDUCE_EXTREME(NAME) \
    template <typename T> \
    EMU_API void NAME(const LocalTensor<T>& dst, const LocalTensor<T>& src, \
        const LocalTensor<T>& work, const int32_t count, bool calIndex = false, EMU_LOC) \
    { \
        EMU_TYPES(#NAME, T, half, float); \
        emu::Instr i = emu::reduce(emu::o##NAME, dst, src, 1, 0, 1, 8, loc); \
        i.s[1] = work.operand(); \
        i.mode = calIndex; \
        emu::count(i, static_cast<uint32_t>(count)); \
        emu::issue(i); \
    } \
    template <typename T> \
    EMU_API void NAME(const LocalTensor<T>& dst, const LocalTensor<T>& src, \
        const LocalTensor<T>& work, const int32_t mask, const int32_t repeatTimes, \
        const int32_t srcRepStride, bool calIndex = false, EMU_LOC) \
    { \
        EMU_TYPES(#NAME, T, half, float); \
        emu::Instr i = emu::reduce(emu::o##NAME, dst, src, repeatTimes, 0, 1, srcRepStride, loc); \
        i.s[1] = work.operand(); \
        i.mode = calIndex; \
        emu::lanes<true>(i, static_cast<uint64_t>(mask), i.repeat); \
        emu::issue(i); \
    } \
    template <typename T> \
    EMU_API void NAME(const LocalTensor<T>& dst, const LocalTensor<T>& src, \
        const LocalTensor<T>& work, const uint64_t mask[], const int32_t repeatTimes, \
        const int32_t srcRepStride, bool calIndex = false, EMU_LOC) \
    { \
        EMU_TYPES(#NAME, T, half, float); \
        emu::Instr i = emu::reduce(emu::o##NAME, dst, src, repeatTimes, 0, 1, srcRepStride, loc); \
        i.s[1] = work.operand(); \
        i.mode = calIndex; \
        emu::bits<true>(i, mask, i.repeat); \
        emu::issue(i); \
    }
EMU_REDUCE_EXTREME(ReduceMax)
EMU_REDUCE_EXTREME(ReduceMin)

template <typename T, bool isSetMask = true>
EMU_API void ReduceSum(const LocalTensor<T>& dst, const LocalTensor<T>& src,
    const LocalTensor<T>& work, const int32_t count, EMU_LOC)
{
    EMU_TYPES("ReduceSum", T, half, float);
    emu::Instr i = emu::reduce(emu::oReduceSum, dst, src, 1, 0, 1, 8, loc);
    i.s[1] = work.operand();
    emu::count(i, static_cast<uint32_t>(count));
    emu::issue(i);
}
template <typename T>
EMU_API void ReduceSum(const LocalTensor<T>& dst, const LocalTensor<T>& src,
    const LocalTensor<T>& work, const int32_t mask, const int32_t repeatTimes,
    const int32_t srcRepStride, EMU_LOC)
{
    EMU_TYPES("ReduceSum", T, half, float);
    emu::Instr i = emu::reduce(emu::oReduceSum, dst, src, repeatTimes, 0, 1, srcRepStride, loc);
    i.s[1] = work.operand();
    emu::lanes<true>(i, static_cast<uint64_t>(mask), i.repeat);
    emu::issue(i);
}
template <typename T>
EMU_API void ReduceSum(const LocalTensor<T>& dst, const LocalTensor<T>& src,
    const LocalTensor<T>& work, const uint64_t mask[], const int32_t repeatTimes,
    const int32_t srcRepStride, EMU_LOC)
{
    EMU_TYPES("ReduceSum", T, half, float);
    emu::Instr i = emu::reduce(emu::oReduceSum, dst, src, repeatTimes, 0, 1, srcRepStride, loc);
    i.s[1] = work.operand();
    emu::bits<true>(i, mask, i.repeat);
    emu::issue(i);
}

} // namespace AscendC
#endif
