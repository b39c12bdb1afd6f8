// Copies between memories.
#ifndef EMU_MOVE_H
#define EMU_MOVE_H

#include "emu/select.h"

namespace emu {

// copyPipe names the pipe that carries a copy between two local memories.
inline Pipe copyPipe(Mem d, Mem s)
{
    if (s == kUB && d == kUB) {
        return kV;
    }
    if (s == kUB && d == kL1) {
        return kMTE3;
    }
    return s == kL1 ? kMTE1 : kV;
}
inline Instr copy(const Opnd& d, const Opnd& s, Pipe pipe, uint32_t blocks, uint64_t len,
    uint32_t srcGap,
    uint32_t dstGap, Loc loc)
{
    Instr i;
    i.op = oDataCopy;
    i.pipe = pipe;
    i.line = loc.line;
    i.d = d;
    i.s[0] = s;
    i.sources = 1;
    i.p[0] = blocks;
    i.p[1] = static_cast<int64_t>(len);
    i.p[2] = srcGap;
    i.p[3] = dstGap;
    return i;
}
inline void copyCount(const Opnd& d, const Opnd& s, Pipe pipe, uint64_t elements, Loc loc)
{
    uint64_t bytes = elements * sizeOf(d.type);
    Instr i = copy(d, s, pipe, 1, bytes / 32, 0, 0, loc);
    i.p[4] = static_cast<int64_t>(bytes % 32);
    i.p[5] = 1;
    issue(i);
}

} // namespace emu

namespace AscendC {

template <typename T>
EMU_API void DataCopy(const LocalTensor<T>& dst, const GlobalTensor<T>& src,
    const uint32_t count, EMU_LOC)
{
    emu::copyCount(dst.operand(), src.operand(), emu::kMTE2, count, loc);
}
template <typename T>
EMU_API void DataCopy(const GlobalTensor<T>& dst, const LocalTensor<T>& src,
    const uint32_t count, EMU_LOC)
{
    emu::copyCount(dst.operand(), src.operand(), emu::kMTE3, count, loc);
}
template <typename T>
EMU_API void DataCopy(const LocalTensor<T>& dst, const LocalTensor<T>& src,
    const uint32_t count, EMU_LOC)
{
    emu::Opnd d = dst.operand(), s = src.operand();
    emu::copyCount(d, s, emu::copyPipe(d.mem, s.mem), count, loc);
}
template <typename T>
EMU_API void DataCopy(const LocalTensor<T>& dst, const GlobalTensor<T>& src,
    const DataCopyParams& p, EMU_LOC)
{
    emu::Instr i = emu::copy(dst.operand(), src.operand(), emu::kMTE2, p.blockCount, p.blockLen,
        p.srcStride, p.dstStride, loc);
    emu::issue(i);
}
template <typename T>
EMU_API void DataCopy(const GlobalTensor<T>& dst, const LocalTensor<T>& src,
    const DataCopyParams& p, EMU_LOC)
{
    emu::Instr i = emu::copy(dst.operand(), src.operand(), emu::kMTE3, p.blockCount, p.blockLen,
        p.srcStride, p.dstStride, loc);
    emu::issue(i);
}
template <typename T>
EMU_API void DataCopy(const LocalTensor<T>& dst, const LocalTensor<T>& src,
    const DataCopyParams& p, EMU_LOC)
{
    emu::Opnd d = dst.operand(), s = src.operand();
    emu::Instr i = emu::copy(d, s, emu::copyPipe(d.mem, s.mem), p.blockCount, p.blockLen,
        p.srcStride,
        p.dstStride, loc);
    emu::issue(i);
}

#if __CCE_AICORE__ == 200
// Out of the accumulator, on the vector pipe, in units of 16x16 fractals.
template <typename T, typename U>
EMU_API void DataCopy(const LocalTensor<T>& dst, const LocalTensor<U>& src,
    const DataCopyParams& p, const DataCopyEnhancedParams& e, EMU_LOC)
{
    static_assert(emu::Same<T, U>::value || (emu::Same<T, half>::value && emu::Same<U,
        float>::value) ||
        (emu::Same<U, int32_t>::value && emu::OneOf<T, half, int16_t>::value),
        "DataCopy: L0C reaches UB as the same type, float as half, int32 as half or int16");
    emu::Instr i = emu::copy(dst.operand(), src.operand(), emu::kV, p.blockCount, p.blockLen,
        p.srcStride, p.dstStride, loc);
    i.op = emu::oDataCopyL0C;
    i.mode = static_cast<uint8_t>(e.deqScale);
    i.p[4] = static_cast<int64_t>(e.deqValue);
    i.p[5] = static_cast<int64_t>(e.deqTensorAddr);
    i.p[6] = e.isRelu;
    i.p[7] = static_cast<int64_t>(e.blockMode);
    emu::issue(i);
}
#endif

#if __CCE_AICORE__ == 220
template <typename T>
EMU_API void DataCopyPad(const LocalTensor<T>& dst, const GlobalTensor<T>& src,
    const DataCopyExtParams& p, const DataCopyPadExtParams<T>& pad, EMU_LOC)
{
    emu::Instr i = emu::copy(dst.operand(), src.operand(), emu::kMTE2, p.blockCount, p.blockLen,
        p.srcStride, p.dstStride, loc);
    i.op = emu::oDataCopyPad;
    i.p[4] = pad.isPad;
    i.p[5] = pad.leftPadding;
    i.p[6] = pad.rightPadding;
    i.scalar = emu::bitsOf(pad.paddingValue);
    emu::issue(i);
}
template <typename T>
EMU_API void DataCopyPad(const GlobalTensor<T>& dst, const LocalTensor<T>& src,
    const DataCopyExtParams& p, EMU_LOC)
{
    emu::Instr i = emu::copy(dst.operand(), src.operand(), emu::kMTE3, p.blockCount, p.blockLen,
        p.srcStride, p.dstStride, loc);
    i.op = emu::oDataCopyPad;
    emu::issue(i);
}
template <typename T>
EMU_API void DataCopy(const LocalTensor<T>& dst, const GlobalTensor<T>& src,
    const Nd2NzParams& p, EMU_LOC)
{
    emu::Instr i = emu::copy(dst.operand(), src.operand(), emu::kMTE2, 0, 0, 0, 0, loc);
    i.op = emu::oDataCopyNd2Nz;
    i.p[0] = p.ndNum;
    i.p[1] = p.nValue;
    i.p[2] = p.dValue;
    i.p[3] = p.srcNdMatrixStride;
    i.p[4] = p.srcDValue;
    i.p[5] = p.dstNzC0Stride;
    i.p[6] = p.dstNzNStride;
    i.p[7] = p.dstNzMatrixStride;
    emu::issue(i);
}
#endif

} // namespace AscendC
#endif
