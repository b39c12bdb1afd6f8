// Element-wise vector instructions: each has a count form, a lane-count form and a bit-mask form.
#ifndef EMU_VECTOR_H
#define EMU_VECTOR_H

#include "emu/system.h"

namespace emu {

inline Instr vec(Op op, Loc loc)
{
    Instr i;
    i.op = op;
    i.pipe = kV;
    i.line = loc.line;
    return i;
}
inline void count(Instr& i, uint32_t n)
{
    i.form = kCount;
    i.mask[0] = n;
    i.repeat = 1;
}
template <bool set> inline void lanes(Instr& i, uint64_t mask, uint32_t repeat)
{
    i.form = set ? kLanes : kRegister;
    i.mask[0] = mask;
    i.repeat = repeat;
}
template <bool set> inline void bits(Instr& i, const uint64_t* mask, uint32_t repeat)
{
    i.form = set ? kBits : kRegister;
    if (set) {
        i.mask[0] = mask[0];
        i.mask[1] = mask[1];
    }
    i.repeat = repeat;
}
template <typename D, typename A>
inline Instr unary(Op op, const AscendC::LocalTensor<D>& d, const AscendC::LocalTensor<A>& a,
    const AscendC::UnaryRepeatParams& p, Loc loc)
{
    Instr i = vec(op, loc);
    i.d = d.operand(p.dstBlkStride, p.dstRepStride);
    i.s[0] = a.operand(p.srcBlkStride, p.srcRepStride);
    i.sources = 1;
    return i;
}
template <typename D, typename A, typename B>
inline Instr binary(Op op, const AscendC::LocalTensor<D>& d, const AscendC::LocalTensor<A>& a,
    const AscendC::LocalTensor<B>& b, const AscendC::BinaryRepeatParams& p, Loc loc)
{
    Instr i = vec(op, loc);
    i.d = d.operand(p.dstBlkStride, p.dstRepStride);
    i.s[0] = a.operand(p.src0BlkStride, p.src0RepStride);
    i.s[1] = b.operand(p.src1BlkStride, p.src1RepStride);
    i.sources = 2;
    return i;
}

} // namespace emu

namespace AscendC {

#define EMU_BINARY(NAME, ...) \
    template <typename T, bool isSetMask = true> \
    EMU_API void NAME(const LocalTensor<T>& dst, const LocalTensor<T>& src0, \
        const LocalTensor<T>& src1, uint64_t mask[], const uint8_t repeatTime, \
        const BinaryRepeatParams& repeatParams, EMU_LOC) \
    { \
        EMU_TYPES(#NAME, T, __VA_ARGS__); \
        emu::Instr i = emu::binary(emu::o##NAME, dst, src0, src1, repeatParams, loc); \
        emu::bits<isSetMask>(i, mask, repeatTime); \
        emu::issue(i); \
    } \
    template <typename T, bool isSetMask = true> \
    EMU_API void NAME(const LocalTensor<T>& dst, const LocalTensor<T>& src0, \
        const LocalTensor<T>& src1, uint64_t mask, const uint8_t repeatTime, \
        const BinaryRepeatParams& repeatParams, EMU_LOC) \
    { \
        EMU_TYPES(#NAME, T, __VA_ARGS__); \
        emu::Instr i = emu::binary(emu::o##NAME, dst, src0, src1, repeatParams, loc); \
        emu::lanes<isSetMask>(i, mask, repeatTime); \
        emu::issue(i); \
    } \
    template <typename T> \
    EMU_API void NAME(const LocalTensor<T>& dst, const LocalTensor<T>& src0, \
        const LocalTensor<T>& src1, const int32_t& count, EMU_LOC) \
    { \
        EMU_TYPES(#NAME, T, __VA_ARGS__); \
        emu::Instr i = emu::binary(emu::o##NAME, dst, src0, src1, BinaryRepeatParams(), loc); \
        emu::count(i, static_cast<uint32_t>(count)); \
        emu::issue(i); \
    }
EMU_BINARY(Add, int16_t, half, int32_t, float)
EMU_BINARY(Sub, int16_t, half, int32_t, float)
EMU_BINARY(Mul, int16_t, half, int32_t, float)
EMU_BINARY(Div, half, float)
EMU_BINARY(Max, int16_t, half, int32_t, float)
EMU_BINARY(Min, int16_t, half, int32_t, float)
EMU_BINARY(And, int16_t, uint16_t)
EMU_BINARY(Or, int16_t, uint16_t)
EMU_BINARY(AddRelu, int16_t, half, float)
EMU_BINARY(FusedMulAdd, half, float)

#define EMU_UNARY(NAME, ...) \
    template <typename T, bool isSetMask = true> \
    EMU_API void NAME(const LocalTensor<T>& dst, const LocalTensor<T>& src, uint64_t mask[], \
        const uint8_t repeatTime, const UnaryRepeatParams& repeatParams, EMU_LOC) \
    { \
        EMU_TYPES(#NAME, T, __VA_ARGS__); \
        emu::Instr i = emu::unary(emu::o##NAME, dst, src, repeatParams, loc); \
        emu::bits<isSetMask>(i, mask, repeatTime); \
        emu::issue(i); \
    } \
    template <typename T, bool isSetMask = true> \
    EMU_API void NAME(const LocalTensor<T>& dst, const LocalTensor<T>& src, uint64_t mask, \
        const uint8_t repeatTime, const UnaryRepeatParams& repeatParams, EMU_LOC) \
    { \
        EMU_TYPES(#NAME, T, __VA_ARGS__); \
        emu::Instr i = emu::unary(emu::o##NAME, dst, src, repeatParams, loc); \
        emu::lanes<isSetMask>(i, mask, repeatTime); \
        emu::issue(i); \
    } \
    template <typename T> \
    EMU_API void NAME(const LocalTensor<T>& dst, const LocalTensor<T>& src, \
        const int32_t& count, EMU_LOC) \
    { \
        EMU_TYPES(#NAME, T, __VA_ARGS__); \
        emu::Instr i = emu::unary(emu::o##NAME, dst, src, UnaryRepeatParams(), loc); \
        emu::count(i, static_cast<uint32_t>(count)); \
        emu::issue(i); \
    }
EMU_UNARY(Exp, half, float)
EMU_UNARY(Ln, half, float)
EMU_UNARY(Sqrt, half, float)
EMU_UNARY(Rsqrt, half, float)
EMU_UNARY(Reciprocal, half, float)
EMU_UNARY(Abs, half, float)
EMU_UNARY(Relu, half, float)
EMU_UNARY(Not, int16_t, uint16_t)

#define EMU_SCALAR(NAME, ...) \
    template <typename T, bool isSetMask = true> \
    EMU_API void NAME(const LocalTensor<T>& dst, const LocalTensor<T>& src, \
        const T& scalarValue, uint64_t mask[], const uint8_t repeatTime, \
        const UnaryRepeatParams& repeatParams, EMU_LOC) \
    { \
        EMU_TYPES(#NAME, T, __VA_ARGS__); \
        emu::Instr i = emu::unary(emu::o##NAME, dst, src, repeatParams, loc); \
        i.scalar = emu::bitsOf(scalarValue); \
        emu::bits<isSetMask>(i, mask, repeatTime); \
        emu::issue(i); \
    } \
    template <typename T, bool isSetMask = true> \
    EMU_API void NAME(const LocalTensor<T>& dst, const LocalTensor<T>& src, \
        const T& scalarValue, uint64_t mask, const uint8_t repeatTime, \
        const UnaryRepeatParams& repeatParams, EMU_LOC) \
    { \
        EMU_TYPES(#NAME, T, __VA_ARGS__); \
        emu::Instr i = emu::unary(emu::o##NAME, dst, src, repeatParams, loc); \
        i.scalar = emu::bitsOf(scalarValue); \
        emu::lanes<isSetMask>(i, mask, repeatTime); \
        emu::issue(i); \
    } \
    template <typename T, bool isSetMask = true> \
    EMU_API void NAME(const LocalTensor<T>& dst, const LocalTensor<T>& src, \
        const T& scalarValue, const int32_t& count, EMU_LOC) \
    { \
        EMU_TYPES(#NAME, T, __VA_ARGS__); \
        emu::Instr i = emu::unary(emu::o##NAME, dst, src, UnaryRepeatParams(), loc); \
        i.scalar = emu::bitsOf(scalarValue); \
        emu::count(i, static_cast<uint32_t>(count)); \
        emu::issue(i); \
    }
EMU_SCALAR(Adds, int16_t, half, int32_t, float)
EMU_SCALAR(Muls, int16_t, half, int32_t, float)
EMU_SCALAR(Maxs, int16_t, half, int32_t, float)
EMU_SCALAR(Mins, int16_t, half, int32_t, float)
EMU_SCALAR(LeakyRelu, half, float)
#if __CCE_AICORE__ == 220
EMU_SCALAR(ShiftLeft, int16_t, uint16_t, int32_t, uint32_t)
EMU_SCALAR(ShiftRight, int16_t, uint16_t, int32_t, uint32_t)
#endif

// Axpy: dst = src * scalar + dst. MulAddDst: dst = src0 * src1 + dst. A float dst takes half
// sources.
template <typename T, typename U, bool isSetMask = true>
EMU_API void Axpy(const LocalTensor<T>& dst, const LocalTensor<U>& src, const U& scalarValue,
    uint64_t mask[], const uint8_t repeatTime, const UnaryRepeatParams& repeatParams, EMU_LOC)
{
    EMU_TYPES("Axpy", T, half, float);
    static_assert(emu::Same<T, U>::value || (emu::Same<T, float>::value && emu::Same<U,
        half>::value),
        "Axpy: dst and src are both half, both float, or float and half");
    emu::Instr i = emu::unary(emu::oAxpy, dst, src, repeatParams, loc);
    i.scalar = emu::bitsOf(scalarValue);
    emu::bits<isSetMask>(i, mask, repeatTime);
    emu::issue(i);
}
template <typename T, typename U, bool isSetMask = true>
EMU_API void Axpy(const LocalTensor<T>& dst, const LocalTensor<U>& src, const U& scalarValue,
    uint64_t mask, const uint8_t repeatTime, const UnaryRepeatParams& repeatParams, EMU_LOC)
{
    EMU_TYPES("Axpy", T, half, float);
    static_assert(emu::Same<T, U>::value || (emu::Same<T, float>::value && emu::Same<U,
        half>::value),
        "Axpy: dst and src are both half, both float, or float and half");
    emu::Instr i = emu::unary(emu::oAxpy, dst, src, repeatParams, loc);
    i.scalar = emu::bitsOf(scalarValue);
    emu::lanes<isSetMask>(i, mask, repeatTime);
    emu::issue(i);
}
template <typename T, typename U>
EMU_API void Axpy(const LocalTensor<T>& dst, const LocalTensor<U>& src, const U& scalarValue,
    const int32_t& count, EMU_LOC)
{
    EMU_TYPES("Axpy", T, half, float);
    static_assert(emu::Same<T, U>::value || (emu::Same<T, float>::value && emu::Same<U,
        half>::value),
        "Axpy: dst and src are both half, both float, or float and half");
    emu::Instr i = emu::unary(emu::oAxpy, dst, src, UnaryRepeatParams(), loc);
    i.scalar = emu::bitsOf(scalarValue);
    emu::count(i, static_cast<uint32_t>(count));
    emu::issue(i);
}

template <typename T, typename U, bool isSetMask = true>
EMU_API void MulAddDst(const LocalTensor<T>& dst, const LocalTensor<U>& src0,
    const LocalTensor<U>& src1, const uint64_t mask[], const uint8_t repeatTime,
    const BinaryRepeatParams& repeatParams, EMU_LOC)
{
    EMU_TYPES("MulAddDst", T, half, float);
    static_assert(emu::Same<T, U>::value || (emu::Same<T, float>::value && emu::Same<U,
        half>::value),
        "MulAddDst: dst and sources are all half, all float, or float and half");
    emu::Instr i = emu::binary(emu::oMulAddDst, dst, src0, src1, repeatParams, loc);
    emu::bits<isSetMask>(i, mask, repeatTime);
    emu::issue(i);
}
template <typename T, typename U, bool isSetMask = true>
EMU_API void MulAddDst(const LocalTensor<T>& dst, const LocalTensor<U>& src0,
    const LocalTensor<U>& src1, uint64_t mask, const uint8_t repeatTime,
    const BinaryRepeatParams& repeatParams, EMU_LOC)
{
    EMU_TYPES("MulAddDst", T, half, float);
    static_assert(emu::Same<T, U>::value || (emu::Same<T, float>::value && emu::Same<U,
        half>::value),
        "MulAddDst: dst and sources are all half, all float, or float and half");
    emu::Instr i = emu::binary(emu::oMulAddDst, dst, src0, src1, repeatParams, loc);
    emu::lanes<isSetMask>(i, mask, repeatTime);
    emu::issue(i);
}
template <typename T, typename U>
EMU_API void MulAddDst(const LocalTensor<T>& dst, const LocalTensor<U>& src0,
    const LocalTensor<U>& src1, const int32_t& count, EMU_LOC)
{
    EMU_TYPES("MulAddDst", T, half, float);
    static_assert(emu::Same<T, U>::value || (emu::Same<T, float>::value && emu::Same<U,
        half>::value),
        "MulAddDst: dst and sources are all half, all float, or float and half");
    emu::Instr i = emu::binary(emu::oMulAddDst, dst, src0, src1, BinaryRepeatParams(), loc);
    emu::count(i, static_cast<uint32_t>(count));
    emu::issue(i);
}

// Duplicate fills with one value; there is no 8-bit form.
template <typename T> constexpr bool emuDuplicateType()
{
#if __CCE_AICORE__ == 220
    return emu::OneOf<T, int16_t, uint16_t, half, bfloat16_t, int32_t, uint32_t, float>::value;
#else
    return emu::OneOf<T, int16_t, uint16_t, half, int32_t, uint32_t, float>::value;
#endif
}
template <typename T, bool isSetMask = true>
EMU_API void Duplicate(const LocalTensor<T>& dst, const T& scalarValue, uint64_t mask,
    const uint8_t repeatTime, const uint16_t dstBlockStride, const uint8_t dstRepeatStride, EMU_LOC)
{
    static_assert(emuDuplicateType<T>(),
        "Duplicate: this element type is not supported on this chip");
    emu::Instr i = emu::vec(emu::oDuplicate, loc);
    i.d = dst.operand(dstBlockStride, dstRepeatStride);
    i.scalar = emu::bitsOf(scalarValue);
    emu::lanes<isSetMask>(i, mask, repeatTime);
    emu::issue(i);
}
template <typename T, bool isSetMask = true>
EMU_API void Duplicate(const LocalTensor<T>& dst, const T& scalarValue, uint64_t mask[],
    const uint8_t repeatTime, const uint16_t dstBlockStride, const uint8_t dstRepeatStride, EMU_LOC)
{
    static_assert(emuDuplicateType<T>(),
        "Duplicate: this element type is not supported on this chip");
    emu::Instr i = emu::vec(emu::oDuplicate, loc);
    i.d = dst.operand(dstBlockStride, dstRepeatStride);
    i.scalar = emu::bitsOf(scalarValue);
    emu::bits<isSetMask>(i, mask, repeatTime);
    emu::issue(i);
}
template <typename T>
EMU_API void Duplicate(const LocalTensor<T>& dst, const T& scalarValue, const int32_t& count,
    EMU_LOC)
{
    static_assert(emuDuplicateType<T>(),
        "Duplicate: this element type is not supported on this chip");
    emu::Instr i = emu::vec(emu::oDuplicate, loc);
    i.d = dst.operand();
    i.scalar = emu::bitsOf(scalarValue);
    emu::count(i, static_cast<uint32_t>(count));
    emu::issue(i);
}

// CreateVecIndex: dst[i] = first + i.
template <typename T>
EMU_API void CreateVecIndex(LocalTensor<T> dst, const T& firstValue, uint32_t count, EMU_LOC)
{
    EMU_TYPES("CreateVecIndex", T, int16_t, half, int32_t, float);
    emu::Instr i = emu::vec(emu::oCreateVecIndex, loc);
    i.d = dst.operand();
    i.scalar = emu::bitsOf(firstValue);
    emu::count(i, count);
    emu::issue(i);
}

template <typename T>
EMU_API void Brcb(const LocalTensor<T>& dst, const LocalTensor<T>& src0,
    const uint8_t repeatTime, const BrcbRepeatParams& repeatParams, EMU_LOC)
{
    static_assert(sizeof(T) == 2 || sizeof(T) == 4, "Brcb: 16-bit and 32-bit elements only");
    emu::Instr i = emu::vec(emu::oBrcb, loc);
    i.d = dst.operand(repeatParams.dstBlkStride, repeatParams.dstRepStride);
    i.s[0] = src0.operand();
    i.sources = 1;
    i.repeat = repeatTime;
    emu::issue(i);
}

#if __CCE_AICORE__ == 220
template <typename T, bool isSetMask = true>
EMU_API void Copy(const LocalTensor<T>& dst, const LocalTensor<T>& src, const uint64_t mask,
    const uint8_t repeatTime, const CopyRepeatParams& p, EMU_LOC)
{
    EMU_TYPES("Copy", T, int16_t, uint16_t, half, bfloat16_t, int32_t, uint32_t, float);
    emu::Instr i = emu::vec(emu::oCopy, loc);
    i.d = dst.operand(p.dstStride, p.dstRepeatSize);
    i.s[0] = src.operand(p.srcStride, p.srcRepeatSize);
    i.sources = 1;
    emu::lanes<isSetMask>(i, mask, repeatTime);
    emu::issue(i);
}
#endif

} // namespace AscendC
#endif
