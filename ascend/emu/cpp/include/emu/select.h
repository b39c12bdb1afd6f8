// Conversions, comparisons, selections, gathers and transposes.
#ifndef EMU_SELECT_H
#define EMU_SELECT_H

#include "emu/vector.h"

namespace AscendC {

template <typename T, typename U> constexpr bool emuCastPair()
{
    constexpr bool same = emu::Same<T, U>::value;
    constexpr bool common =
        (emu::OneOf<U, int8_t, uint8_t, int16_t>::value && emu::Same<T, half>::value) ||
        (emu::Same<U, half>::value && emu::OneOf<T, int8_t, uint8_t, int16_t, int32_t,
            float>::value) ||
        (emu::Same<U, float>::value && emu::OneOf<T, half, int32_t>::value) ||
        (emu::Same<U, int32_t>::value && emu::OneOf<T, float, half, int16_t>::value);
#if __CCE_AICORE__ == 220
    constexpr bool more =
        (emu::Same<U, float>::value && emu::OneOf<T, bfloat16_t, int16_t, int64_t>::value) ||
        (emu::Same<U, bfloat16_t>::value && emu::OneOf<T, float, int32_t>::value) ||
        (emu::Same<U, int16_t>::value && emu::Same<T, float>::value) ||
        (emu::Same<U, int32_t>::value && emu::Same<T, int64_t>::value) ||
        (emu::Same<U, int64_t>::value && emu::OneOf<T, int32_t, float>::value);
#else
    constexpr bool more = false;
#endif
    return !same && (common || more);
}

template <typename T, typename U, bool isSetMask = true>
EMU_API void Cast(const LocalTensor<T>& dst, const LocalTensor<U>& src,
    const RoundMode& roundMode, const uint64_t mask[], const uint8_t repeatTime,
    const UnaryRepeatParams& repeatParams, EMU_LOC)
{
    static_assert(emuCastPair<T, U>(), "Cast: this pair of types is not supported on this chip");
    emu::Instr i = emu::unary(emu::oCast, dst, src, repeatParams, loc);
    i.mode = static_cast<uint8_t>(roundMode);
    emu::bits<isSetMask>(i, mask, repeatTime);
    emu::issue(i);
}
template <typename T, typename U, bool isSetMask = true>
EMU_API void Cast(const LocalTensor<T>& dst, const LocalTensor<U>& src,
    const RoundMode& roundMode, const uint64_t mask, const uint8_t repeatTime,
    const UnaryRepeatParams& repeatParams, EMU_LOC)
{
    static_assert(emuCastPair<T, U>(), "Cast: this pair of types is not supported on this chip");
    emu::Instr i = emu::unary(emu::oCast, dst, src, repeatParams, loc);
    i.mode = static_cast<uint8_t>(roundMode);
    emu::lanes<isSetMask>(i, mask, repeatTime);
    emu::issue(i);
}
template <typename T, typename U>
EMU_API void Cast(const LocalTensor<T>& dst, const LocalTensor<U>& src,
    const RoundMode& roundMode, const uint32_t count, EMU_LOC)
{
    static_assert(emuCastPair<T, U>(), "Cast: this pair of types is not supported on this chip");
    emu::Instr i = emu::unary(emu::oCast, dst, src, UnaryRepeatParams(), loc);
    i.mode = static_cast<uint8_t>(roundMode);
    emu::count(i, count);
    emu::issue(i);
}

#if __CCE_AICORE__ == 220
#define EMU_COMPARE_TYPES half, float, int32_t
#else
#define EMU_COMPARE_TYPES half, float
#endif

template <typename T, typename U>
EMU_API void Compare(const LocalTensor<U>& dst, const LocalTensor<T>& src0,
    const LocalTensor<T>& src1, CMPMODE cmpMode, uint32_t count, EMU_LOC)
{
    EMU_TYPES("Compare", T, EMU_COMPARE_TYPES);
    static_assert(sizeof(U) == 1, "Compare: the result is a tensor of uint8_t or int8_t");
    emu::Instr i = emu::binary(emu::oCompare, dst, src0, src1, BinaryRepeatParams(), loc);
    i.mode = static_cast<uint8_t>(cmpMode);
    emu::count(i, count);
    emu::issue(i);
}
template <typename T, typename U, bool isSetMask = true>
EMU_API void Compare(const LocalTensor<U>& dst, const LocalTensor<T>& src0,
    const LocalTensor<T>& src1, CMPMODE cmpMode, const uint64_t mask, uint8_t repeatTime,
    const BinaryRepeatParams& repeatParams, EMU_LOC)
{
    EMU_TYPES("Compare", T, EMU_COMPARE_TYPES);
    static_assert(sizeof(U) == 1, "Compare: the result is a tensor of uint8_t or int8_t");
    emu::Instr i = emu::binary(emu::oCompare, dst, src0, src1, repeatParams, loc);
    i.mode = static_cast<uint8_t>(cmpMode);
    emu::lanes<isSetMask>(i, mask, repeatTime);
    emu::issue(i);
}
template <typename T, typename U>
EMU_API void CompareScalar(const LocalTensor<U>& dst, const LocalTensor<T>& src0,
    const T src1Scalar, CMPMODE cmpMode, uint32_t count, EMU_LOC)
{
    EMU_TYPES("CompareScalar", T, EMU_COMPARE_TYPES);
    static_assert(sizeof(U) == 1, "CompareScalar: the result is a tensor of uint8_t or int8_t");
    emu::Instr i = emu::unary(emu::oCompareScalar, dst, src0, UnaryRepeatParams(), loc);
    i.mode = static_cast<uint8_t>(cmpMode);
    i.scalar = emu::bitsOf(src1Scalar);
    emu::count(i, count);
    emu::issue(i);
}
template <typename T, typename U, bool isSetMask = true>
EMU_API void CompareScalar(const LocalTensor<U>& dst, const LocalTensor<T>& src0,
    const T src1Scalar, CMPMODE cmpMode, const uint64_t mask, uint8_t repeatTime,
    const UnaryRepeatParams& repeatParams, EMU_LOC)
{
    EMU_TYPES("CompareScalar", T, EMU_COMPARE_TYPES);
    static_assert(sizeof(U) == 1, "CompareScalar: the result is a tensor of uint8_t or int8_t");
    emu::Instr i = emu::unary(emu::oCompareScalar, dst, src0, repeatParams, loc);
    i.mode = static_cast<uint8_t>(cmpMode);
    i.scalar = emu::bitsOf(src1Scalar);
    emu::lanes<isSetMask>(i, mask, repeatTime);
    emu::issue(i);
}

template <typename T, typename U>
EMU_API void Select(const LocalTensor<T>& dst, const LocalTensor<U>& selMask,
    const LocalTensor<T>& src0, const LocalTensor<T>& src1, SELMODE selMode, uint32_t count,
        EMU_LOC)
{
    EMU_TYPES("Select", T, half, float);
    emu::Instr i = emu::binary(emu::oSelect, dst, src0, src1, BinaryRepeatParams(), loc);
    i.s[2] = selMask.operand();
    i.mode = static_cast<uint8_t>(selMode);
    i.sources = 3;
    emu::count(i, count);
    emu::issue(i);
}
template <typename T, typename U>
EMU_API void Select(const LocalTensor<T>& dst, const LocalTensor<U>& selMask,
    const LocalTensor<T>& src0, T src1, SELMODE selMode, uint32_t count, EMU_LOC)
{
    EMU_TYPES("Select", T, half, float);
    emu::Instr i = emu::unary(emu::oSelect, dst, src0, UnaryRepeatParams(), loc);
    i.s[2] = selMask.operand();
    i.scalar = emu::bitsOf(src1);
    i.mode = static_cast<uint8_t>(selMode);
    i.sources = 1;
    emu::count(i, count);
    emu::issue(i);
}
template <typename T, typename U, bool isSetMask = true>
EMU_API void Select(const LocalTensor<T>& dst, const LocalTensor<U>& selMask,
    const LocalTensor<T>& src0, const LocalTensor<T>& src1, SELMODE selMode, uint64_t mask,
    uint8_t repeatTime, const BinaryRepeatParams& repeatParams, EMU_LOC)
{
    EMU_TYPES("Select", T, half, float);
    emu::Instr i = emu::binary(emu::oSelect, dst, src0, src1, repeatParams, loc);
    i.s[2] = selMask.operand();
    i.mode = static_cast<uint8_t>(selMode);
    i.sources = 3;
    emu::lanes<isSetMask>(i, mask, repeatTime);
    emu::issue(i);
}
template <typename T, typename U, bool isSetMask = true>
EMU_API void Select(const LocalTensor<T>& dst, const LocalTensor<U>& selMask,
    const LocalTensor<T>& src0, T src1, SELMODE selMode, uint64_t mask, uint8_t repeatTime,
    const BinaryRepeatParams& repeatParams, EMU_LOC)
{
    EMU_TYPES("Select", T, half, float);
    emu::Instr i = emu::binary(emu::oSelect, dst, src0, src0, repeatParams, loc);
    i.s[2] = selMask.operand();
    i.scalar = emu::bitsOf(src1);
    i.mode = static_cast<uint8_t>(selMode);
    i.sources = 1;
    emu::lanes<isSetMask>(i, mask, repeatTime);
    emu::issue(i);
}

template <typename T> constexpr bool emuGatherType()
{
#if __CCE_AICORE__ == 220
    return emu::OneOf<T, int16_t, uint16_t, half, bfloat16_t, int32_t, uint32_t, float>::value;
#else
    return emu::OneOf<T, int16_t, uint16_t, half, int32_t, uint32_t, float>::value;
#endif
}

// Gather: dst[i] = the element at byte offset srcBaseOffset + srcOffset[i] of src.
template <typename T>
EMU_API void Gather(const LocalTensor<T>& dst, const LocalTensor<T>& src,
    const LocalTensor<uint32_t>& srcOffset, const uint32_t srcBaseOffset, const uint32_t count,
        EMU_LOC)
{
    static_assert(emuGatherType<T>(), "Gather: this element type is not supported on this chip");
    emu::Instr i = emu::vec(emu::oGather, loc);
    i.d = dst.operand();
    i.s[0] = src.operand();
    i.s[1] = srcOffset.operand();
    i.p[0] = srcBaseOffset;
    emu::count(i, count);
    emu::issue(i);
}
template <typename T>
EMU_API void Gather(const LocalTensor<T>& dst, const LocalTensor<T>& src,
    const LocalTensor<uint32_t>& srcOffset, const uint32_t srcBaseOffset, const uint64_t mask,
    const uint8_t repeatTime, const uint16_t dstRepStride, EMU_LOC)
{
    static_assert(emuGatherType<T>(), "Gather: this element type is not supported on this chip");
    emu::Instr i = emu::vec(emu::oGather, loc);
    i.d = dst.operand(1, dstRepStride);
    i.s[0] = src.operand();
    i.s[1] = srcOffset.operand();
    i.p[0] = srcBaseOffset;
    emu::lanes<true>(i, mask, repeatTime);
    emu::issue(i);
}
#if __CCE_AICORE__ == 200
template <typename T>
EMU_API void Scatter(const LocalTensor<T>& dst, const LocalTensor<T>& src,
    const LocalTensor<uint32_t>& dstOffset, const uint32_t dstBaseOffset, const uint32_t count,
        EMU_LOC)
{
    static_assert(emuGatherType<T>(), "Scatter: this element type is not supported on this chip");
    emu::Instr i = emu::vec(emu::oScatter, loc);
    i.d = dst.operand();
    i.s[0] = src.operand();
    i.s[1] = dstOffset.operand();
    i.p[0] = dstBaseOffset;
    emu::count(i, count);
    emu::issue(i);
}
#endif

// GatherMask keeps the elements whose pattern bit is set: 1 even, 2 odd, 3 to 6 one in four, 7 all.
template <typename T>
EMU_API void GatherMask(const LocalTensor<T>& dst, const LocalTensor<T>& src0,
    const uint8_t src1Pattern, const bool reduceMode, const uint32_t mask,
    const GatherMaskParams& p, uint64_t& rsvdCnt, EMU_LOC)
{
    static_assert(emuGatherType<T>(),
        "GatherMask: this element type is not supported on this chip");
    emu::Instr i = emu::vec(emu::oGatherMask, loc);
    i.d = dst.operand();
    i.s[0] = src0.operand(p.src0BlockStride, p.src0RepeatStride);
    i.sources = 1;
    i.p[0] = src1Pattern;
    i.p[1] = reduceMode;
    i.p[2] = mask;
    i.repeat = p.repeatTimes;
    rsvdCnt = emu::reservedCount(i);
    emu::issue(i);
}
template <typename T, typename U>
EMU_API void GatherMask(const LocalTensor<T>& dst, const LocalTensor<T>& src0,
    const LocalTensor<U>& src1Pattern, const bool reduceMode, const uint32_t mask,
    const GatherMaskParams& p, uint64_t& rsvdCnt, EMU_LOC)
{
    static_assert(emuGatherType<T>(),
        "GatherMask: this element type is not supported on this chip");
    static_assert(sizeof(U) == sizeof(T),
        "GatherMask: the pattern has uint16_t or uint32_t elements");
    emu::Instr i = emu::vec(emu::oGatherMask, loc);
    i.d = dst.operand();
    i.s[0] = src0.operand(p.src0BlockStride, p.src0RepeatStride);
    i.s[1] = src1Pattern.operand(1, p.src1RepeatStride);
    i.sources = 2;
    i.p[1] = reduceMode;
    i.p[2] = mask;
    i.repeat = p.repeatTimes;
    rsvdCnt = emu::reservedCount(i);
    emu::issue(i);
}

template <typename T>
EMU_API void Transpose(const LocalTensor<T>& dst, const LocalTensor<T>& src, EMU_LOC)
{
    EMU_TYPES("Transpose", T, int16_t, uint16_t, half);
    emu::Instr i = emu::vec(emu::oTranspose, loc);
    i.d = dst.operand();
    i.s[0] = src.operand();
    i.sources = 1;
    emu::issue(i);
}

template <typename T>
EMU_API void emuTransData(uint64_t (&dst)[NCHW_CONV_ADDR_LIST_SIZE],
    uint64_t (&src)[NCHW_CONV_ADDR_LIST_SIZE], uint64_t lo, uint64_t hi,
    const TransDataTo5HDParams& p, emu::Loc loc)
{
    EMU_TYPES("TransDataTo5HD", T, int8_t, uint8_t, int16_t, uint16_t, half, int32_t, uint32_t,
        float);
    emu::Instr i = emu::vec(emu::oTransDataTo5HD, loc);
    i.d.type = i.s[0].type = emu::TypeOf<T>::value;
    i.d.lo = i.s[0].lo = lo;
    i.d.hi = i.s[0].hi = hi;
    i.repeat = p.repeatTimes;
    i.d.rep = p.dstRepStride;
    i.s[0].rep = p.srcRepStride;
    i.mode = static_cast<uint8_t>(p.dstHighHalf * 2 + p.srcHighHalf);
    for (int k = 0; k < 8; k++) {
        i.p[k] = static_cast<int64_t>(dst[2 * k] | dst[2 * k + 1] << 32);
        i.wide[k] = src[2 * k] | src[2 * k + 1] << 32;
    }
    emu::issue(i);
}
template <typename T>
EMU_API void TransDataTo5HD(uint64_t dstList[NCHW_CONV_ADDR_LIST_SIZE],
    uint64_t srcList[NCHW_CONV_ADDR_LIST_SIZE], const TransDataTo5HDParams& params, EMU_LOC)
{
    uint64_t d[16], s[16];
    for (int k = 0; k < 16; k++) {
        d[k] = dstList[k];
        s[k] = srcList[k];
    }
    emuTransData<T>(d, s, 0, 1u << 20, params, loc);
}
template <typename T>
EMU_API void TransDataTo5HD(const LocalTensor<T> (&dstList)[NCHW_CONV_ADDR_LIST_SIZE],
    const LocalTensor<T> (&srcList)[NCHW_CONV_ADDR_LIST_SIZE], const TransDataTo5HDParams& params,
    EMU_LOC)
{
    uint64_t d[16], s[16];
    for (int k = 0; k < 16; k++) {
        d[k] = dstList[k].address();
        s[k] = srcList[k].address();
    }
    emuTransData<T>(d, s, 0, 1u << 20, params, loc);
}

} // namespace AscendC
#endif
