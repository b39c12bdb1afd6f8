// The matrix unit: loads of its operands, the product, and on 910B the fixed drain pipe.
#ifndef EMU_CUBE_H
#define EMU_CUBE_H

#include "emu/move.h"

namespace AscendC {

template <typename T>
EMU_API void LoadData(const LocalTensor<T>& dst, const LocalTensor<T>& src,
    const LoadData2DParams& p, EMU_LOC)
{
    emu::Instr i = emu::copy(dst.operand(), src.operand(), emu::kMTE1, 0, 0, 0, 0, loc);
    i.op = emu::oLoadData;
    i.repeat = p.repeatTimes;
    i.p[0] = p.startIndex;
    i.p[1] = p.srcStride;
    i.p[2] = p.dstGap;
    i.p[3] = p.ifTranspose;
    i.p[4] = p.addrMode;
    emu::issue(i);
}
template <typename T>
EMU_API void LoadData(const LocalTensor<T>& dst, const GlobalTensor<T>& src,
    const LoadData2DParams& p, EMU_LOC)
{
    emu::Instr i = emu::copy(dst.operand(), src.operand(), emu::kMTE2, 0, 0, 0, 0, loc);
    i.op = emu::oLoadData;
    i.repeat = p.repeatTimes;
    i.p[0] = p.startIndex;
    i.p[1] = p.srcStride;
    i.p[2] = p.dstGap;
    i.p[3] = p.ifTranspose;
    i.p[4] = p.addrMode;
    emu::issue(i);
}
template <typename T>
EMU_API void InitConstValue(const LocalTensor<T>& dst, const InitConstValueParams<T>& p, EMU_LOC)
{
    emu::Instr i;
    i.op = emu::oInitConstValue;
    i.line = loc.line;
    i.d = dst.operand();
    i.pipe = i.d.mem == emu::kL1 ? emu::kMTE2 : emu::kMTE1;
    i.p[0] = p.repeatTimes;
    i.p[1] = p.blockNum;
    i.p[2] = p.dstGap;
    i.scalar = emu::bitsOf(p.initValue);
    emu::issue(i);
}

template <typename T, typename U, typename S> constexpr bool emuMmadTypes()
{
#if __CCE_AICORE__ == 220
    return (emu::Same<T, int32_t>::value && emu::Same<U, int8_t>::value && emu::Same<S,
        int8_t>::value) ||
        (emu::Same<T, float>::value && emu::Same<U, S>::value &&
            emu::OneOf<U, half, float, bfloat16_t>::value);
#else
    return (emu::Same<T, int32_t>::value && emu::OneOf<U, int8_t, uint8_t>::value &&
               (emu::Same<S, int8_t>::value || (emu::Same<U, uint8_t>::value && emu::Same<S,
                   U>::value))) ||
        (emu::OneOf<T, float, half>::value && emu::Same<U, half>::value && emu::Same<S,
            half>::value);
#endif
}

template <typename T, typename U, typename S>
EMU_API emu::Instr emuMmad(const LocalTensor<T>& dst, const LocalTensor<U>& fm,
    const LocalTensor<S>& filter, const MmadParams& p, emu::Loc loc)
{
    static_assert(emuMmadTypes<T, U, S>(), "Mmad: these types are not supported on this chip");
    emu::Instr i;
    i.op = emu::oMmad;
    i.pipe = emu::kM;
    i.line = loc.line;
    i.d = dst.operand();
    i.s[0] = fm.operand();
    i.s[1] = filter.operand();
    i.sources = 2;
    i.p[0] = p.m;
    i.p[1] = p.n;
    i.p[2] = p.k;
    i.p[3] = p.cmatrixInitVal;
    i.p[4] = p.cmatrixSource;
    i.p[5] = p.unitFlag;
    return i;
}
template <typename T, typename U, typename S>
EMU_API void Mmad(const LocalTensor<T>& dst, const LocalTensor<U>& fm,
    const LocalTensor<S>& filter, const MmadParams& mmadParams, EMU_LOC)
{
    emu::Instr i = emuMmad(dst, fm, filter, mmadParams, loc);
    emu::issue(i);
}
#if __CCE_AICORE__ == 220
template <typename T, typename U, typename S, typename V>
EMU_API void Mmad(const LocalTensor<T>& dst, const LocalTensor<U>& fm,
    const LocalTensor<S>& filter, const LocalTensor<V>& bias, const MmadParams& mmadParams, EMU_LOC)
{
    static_assert(emu::Same<T, V>::value, "Mmad: the bias has the type of the result");
    emu::Instr i = emuMmad(dst, fm, filter, mmadParams, loc);
    i.s[2] = bias.operand();
    i.sources = 3;
    emu::issue(i);
}
template <typename T>
EMU_API void LoadDataWithTranspose(const LocalTensor<T>& dst, const LocalTensor<T>& src,
    const LoadData2dTransposeParams& p, EMU_LOC)
{
    EMU_TYPES("LoadDataWithTranspose", T, int8_t, uint8_t, half, bfloat16_t);
    emu::Instr i = emu::copy(dst.operand(), src.operand(), emu::kMTE1, 0, 0, 0, 0, loc);
    i.op = emu::oLoadDataWithTranspose;
    i.repeat = p.repeatTimes;
    i.p[0] = p.startIndex;
    i.p[1] = p.srcStride;
    i.p[2] = p.dstGap;
    i.p[3] = p.dstFracGap;
    emu::issue(i);
}

template <typename T, typename U>
EMU_API emu::Instr emuFixpipe(const emu::Opnd& dst, const LocalTensor<U>& src,
    CO2Layout format, const FixpipeParamsV220& p, emu::Loc loc)
{
    static_assert(emu::OneOf<U, float, int32_t>::value,
        "Fixpipe: the accumulator is float or int32");
    emu::Instr i = emu::copy(dst, src.operand(), emu::kFIX, 0, 0, 0, 0, loc);
    i.op = emu::oFixpipe;
    i.mode = static_cast<uint8_t>(p.quantPre);
    i.p[0] = p.nSize;
    i.p[1] = p.mSize;
    i.p[2] = p.srcStride;
    i.p[3] = p.dstStride;
    i.p[4] = static_cast<int64_t>(p.deqScalar);
    i.p[5] = p.ndNum;
    i.p[6] = p.srcNdStride;
    i.p[7] = p.dstNdStride;
    i.p[8] = p.reluEn;
    i.p[9] = format == CO2Layout::ROW_MAJOR;
    return i;
}
template <typename T, typename U, const FixpipeConfig& config = CFG_ROW_MAJOR>
EMU_API void Fixpipe(const GlobalTensor<T>& dst, const LocalTensor<U>& src,
    const FixpipeParamsV220& p, EMU_LOC)
{
    emu::Instr i = emuFixpipe<T>(dst.operand(), src, config.format, p, loc);
    emu::issue(i);
}
template <typename T, typename U, const FixpipeConfig& config = CFG_ROW_MAJOR>
EMU_API void Fixpipe(const GlobalTensor<T>& dst, const LocalTensor<U>& src,
    const LocalTensor<uint64_t>& cbufWorkspace, const FixpipeParamsV220& p, EMU_LOC)
{
    emu::Instr i = emuFixpipe<T>(dst.operand(), src, config.format, p, loc);
    i.s[1] = cbufWorkspace.operand();
    i.sources = 2;
    emu::issue(i);
}
#else
template <typename T, typename U>
EMU_API void BroadCastVecToMM(const LocalTensor<T>& dst, const LocalTensor<U>& src,
    const int32_t blockCount, const uint8_t blockLen, const uint8_t srcGap, const uint8_t dstGap,
        EMU_LOC)
{
    EMU_TYPES("BroadCastVecToMM", T, half, int32_t, float);
    static_assert(emu::Same<T, U>::value, "BroadCastVecToMM: src and dst have one type");
    emu::Instr i = emu::copy(dst.operand(), src.operand(), emu::kV,
        static_cast<uint32_t>(blockCount),
        blockLen, srcGap, dstGap, loc);
    i.op = emu::oBroadCastVecToMM;
    emu::issue(i);
}
#endif

} // namespace AscendC
#endif
