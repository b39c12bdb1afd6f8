// Enumerations and parameter records, with the field names and constructor orders of CANN 8.x.
#ifndef EMU_PARAMS_H
#define EMU_PARAMS_H

#include "emu/instr.h"

enum pipe_t {
    PIPE_S = 0, PIPE_V, PIPE_M, PIPE_MTE1, PIPE_MTE2, PIPE_MTE3, PIPE_ALL, PIPE_FIX = 10
};
enum event_t {
    EVENT_ID0 = 0, EVENT_ID1, EVENT_ID2, EVENT_ID3, EVENT_ID4, EVENT_ID5, EVENT_ID6, EVENT_ID7
};
enum class pad_t : uint8_t { PAD_NONE, PAD_MODE1, PAD_MODE2, PAD_MODE3, PAD_MODE4, PAD_MODE5 };
enum QuantMode_t {
    NoQuant, F322F16, F322BF16, DEQF16, VDEQF16, QF322B8_PRE, VQF322B8_PRE, REQ8, VREQ8
};

namespace AscendC {

using TEventID = int8_t;

enum class TPosition : uint8_t {
    GM, A1, A2, B1, B2, C1, C2, CO1, CO2, VECIN, VECOUT, VECCALC, LCM = VECCALC, MAX = 32
};
using QuePosition = TPosition;

enum class RoundMode : uint8_t {
    CAST_NONE = 0, CAST_RINT, CAST_FLOOR, CAST_CEIL, CAST_ROUND, CAST_TRUNC, CAST_ODD
};
enum class CMPMODE : uint8_t { LT = 0, GT, EQ, LE, GE, NE };
enum class SELMODE : uint8_t { VSEL_CMPMASK_SPR = 0, VSEL_TENSOR_SCALAR_MODE,
    VSEL_TENSOR_TENSOR_MODE };
enum class DeqScale : uint8_t { DEQ_NONE = 0, DEQ, VDEQ, DEQ8, VDEQ8, DEQ16, VDEQ16 };
enum class BlockMode : uint8_t {
    BLOCK_MODE_NORMAL = 0, BLOCK_MODE_MATRIX, BLOCK_MODE_VECTOR, BLOCK_MODE_SMALL_CHANNEL,
    BLOCK_MODE_DEPTHWISE
};
enum class ReduceOrder : uint8_t {
    ORDER_VALUE_INDEX = 0, ORDER_INDEX_VALUE,
#if __CCE_AICORE__ == 220
    ORDER_ONLY_VALUE, ORDER_ONLY_INDEX,
#endif
};
enum class MaskMode : uint8_t { NORMAL = 0, COUNTER };
enum class CacheLine : uint64_t { SINGLE_CACHE_LINE = 0, ENTIRE_DATA_CACHE };
#if __CCE_AICORE__ == 220
enum class DcciDst : uint64_t { CACHELINE_ALL = 0, CACHELINE_UB, CACHELINE_OUT, CACHELINE_ATOMIC };
enum class CacheMode { CACHE_MODE_DISABLE = 0, CACHE_MODE_NORMAL = 1, CACHE_MODE_LAST = 2,
    CACHE_MODE_PERSISTENT = 4 };
#endif
constexpr uint64_t MASK_PLACEHOLDER = 0;
constexpr int32_t NCHW_CONV_ADDR_LIST_SIZE = 16;

// X-macro of the pipe pairs that have event flags.
#define EMU_EVENTS(X) \
    X(MTE2, V) X(V, MTE2) X(V, MTE3) X(MTE3, V) X(MTE2, MTE1) X(MTE1, MTE2) X(MTE1, M) X(M, MTE1) \
    X(M, V) X(V, M) X(V, S) X(S, V) X(MTE2, S) X(S, MTE2) X(MTE3, S) X(S, MTE3) X(MTE2, MTE3) \
    X(MTE3, MTE2) X(MTE3, MTE1) X(MTE1, MTE3) X(V, MTE1) X(MTE1, V) X(M, S) X(S, M) X(M, MTE2) \
    X(MTE2, M) X(M, MTE3) X(MTE3, M) X(M, FIX) X(FIX, M) X(FIX, S) X(S, FIX) X(FIX, MTE2) \
    X(MTE2, FIX) X(FIX, MTE3) X(MTE3, FIX) X(FIX, MTE1) X(MTE1, FIX)
enum class HardEvent : uint8_t {
#define EMU_EVENT(a, b) a##_##b,
    EMU_EVENTS(EMU_EVENT)
#undef EMU_EVENT
    MAX
};

struct BinaryRepeatParams {
    __aicore__ BinaryRepeatParams() {}
    __aicore__ BinaryRepeatParams(const uint8_t dstBlk, const uint8_t src0Blk,
        const uint8_t src1Blk,
        const uint8_t dstRep, const uint8_t src0Rep, const uint8_t src1Rep)
        : dstBlkStride(dstBlk), src0BlkStride(src0Blk), src1BlkStride(src1Blk),
            dstRepStride(dstRep),
          src0RepStride(src0Rep), src1RepStride(src1Rep) {}
    uint8_t dstBlkStride = 1, src0BlkStride = 1, src1BlkStride = 1;
    uint8_t dstRepStride = 8, src0RepStride = 8, src1RepStride = 8;
};

struct UnaryRepeatParams {
    __aicore__ UnaryRepeatParams() {}
    __aicore__ UnaryRepeatParams(const uint16_t dstBlk, const uint16_t srcBlk, const uint8_t dstRep,
        const uint8_t srcRep)
        : dstBlkStride(dstBlk), srcBlkStride(srcBlk), dstRepStride(dstRep), srcRepStride(srcRep) {}
    uint16_t dstBlkStride = 1, srcBlkStride = 1;
    uint8_t dstRepStride = 8, srcRepStride = 8;
};

struct BrcbRepeatParams {
    __aicore__ BrcbRepeatParams() {}
    __aicore__ BrcbRepeatParams(const uint16_t dstBlk, const uint16_t dstRep)
        : dstRepStride(dstRep), dstBlkStride(dstBlk) {}
    uint16_t dstRepStride = 8, dstBlkStride = 1;
};

struct CopyRepeatParams {
    __aicore__ CopyRepeatParams() {}
    __aicore__ CopyRepeatParams(const uint16_t dst, const uint16_t src, uint16_t dstRep,
        uint16_t srcRep)
        : dstStride(dst), srcStride(src), dstRepeatSize(dstRep), srcRepeatSize(srcRep) {}
    uint16_t dstStride = 0, srcStride = 0, dstRepeatSize = 8, srcRepeatSize = 8;
};

struct GatherMaskParams {
    __aicore__ GatherMaskParams() {}
    __aicore__ GatherMaskParams(const uint8_t src0Blk, const uint16_t repeat,
        const uint16_t src0Rep,
        const uint8_t src1Rep)
        : src0BlockStride(src0Blk), repeatTimes(repeat), src0RepeatStride(src0Rep),
          src1RepeatStride(src1Rep) {}
    uint8_t src0BlockStride = 1;
    uint16_t repeatTimes = 0;
    uint16_t src0RepeatStride = 8;
    uint8_t src1RepeatStride = 8;
};

struct TransDataTo5HDParams {
    __aicore__ TransDataTo5HDParams() {}
    __aicore__ TransDataTo5HDParams(const bool dstHigh, const bool srcHigh, const uint8_t repeat,
        const uint16_t dstRep, const uint16_t srcRep)
        : dstHighHalf(dstHigh), srcHighHalf(srcHigh), repeatTimes(repeat), dstRepStride(dstRep),
          srcRepStride(srcRep) {}
    bool dstHighHalf = false, srcHighHalf = false;
    uint8_t repeatTimes = 1;
    uint16_t dstRepStride = 0, srcRepStride = 0;
};

struct DataCopyParams {
    __aicore__ DataCopyParams() {}
    __aicore__ DataCopyParams(const uint16_t count, const uint16_t len, const uint16_t src,
        const uint16_t dst)
        : blockCount(count), blockLen(len), srcStride(src), dstStride(dst) {}
    uint16_t blockCount = 1, blockLen = 0, srcStride = 0, dstStride = 0;
};

struct DataCopyEnhancedParams {
    __aicore__ DataCopyEnhancedParams() {}
    __aicore__ DataCopyEnhancedParams(const BlockMode block, const DeqScale deq,
        const uint64_t value,
        const uint8_t sid, const bool relu, const pad_t pad, const uint64_t padVal)
        : blockMode(block), deqScale(deq), deqValue(value), sidStoreMode(sid), isRelu(relu),
          padMode(pad), padValue(padVal) {}
    BlockMode blockMode = BlockMode::BLOCK_MODE_NORMAL;
    DeqScale deqScale = DeqScale::DEQ_NONE;
    uint64_t deqValue = 0;
    uint8_t sidStoreMode = 0;
    bool isRelu = false;
    pad_t padMode = pad_t::PAD_NONE;
    uint64_t padValue = 0;
    uint64_t deqTensorAddr = 0;
};

#if __CCE_AICORE__ == 220
struct DataCopyExtParams {
    __aicore__ DataCopyExtParams() {}
    __aicore__ DataCopyExtParams(const uint16_t count, const uint32_t len, const uint32_t src,
        const uint32_t dst, const uint32_t reserved)
        : blockCount(count), blockLen(len), srcStride(src), dstStride(dst), rsv(reserved) {}
    uint16_t blockCount = 1;
    uint32_t blockLen = 0, srcStride = 0, dstStride = 0, rsv = 0;
};

template <typename T> struct DataCopyPadExtParams {
    __aicore__ DataCopyPadExtParams() {}
    __aicore__ DataCopyPadExtParams(const bool pad, const uint8_t left, const uint8_t right,
        T value)
        : isPad(pad), leftPadding(left), rightPadding(right), paddingValue(value) {}
    bool isPad = false;
    uint8_t leftPadding = 0, rightPadding = 0;
    T paddingValue = {};
};

struct Nd2NzParams {
    __aicore__ Nd2NzParams() {}
    __aicore__ Nd2NzParams(const uint16_t nd, const uint16_t n, const uint16_t d,
        const uint16_t srcNd,
        const uint16_t srcD, const uint16_t dstC0, const uint16_t dstN, const uint16_t dstNz)
        : ndNum(nd), nValue(n), dValue(d), srcNdMatrixStride(srcNd), srcDValue(srcD),
          dstNzC0Stride(dstC0), dstNzNStride(dstN), dstNzMatrixStride(dstNz) {}
    uint16_t ndNum = 0, nValue = 0, dValue = 0, srcNdMatrixStride = 0, srcDValue = 0;
    uint16_t dstNzC0Stride = 0, dstNzNStride = 0, dstNzMatrixStride = 0;
};

enum class CO2Layout : uint8_t { NZ = 0, ROW_MAJOR, COLUMN_MAJOR };
struct FixpipeConfig {
    CO2Layout format;
    constexpr FixpipeConfig(CO2Layout f) : format(f) {}
};
constexpr FixpipeConfig CFG_NZ = {CO2Layout::NZ};
constexpr FixpipeConfig CFG_ROW_MAJOR = {CO2Layout::ROW_MAJOR};

struct FixpipeParamsV220 {
    __aicore__ FixpipeParamsV220() {}
    __aicore__ FixpipeParamsV220(const uint16_t n, const uint16_t m, const uint16_t src,
        const uint32_t dst, const bool relu)
        : nSize(n), mSize(m), srcStride(src), dstStride(dst), reluEn(relu) {}
    __aicore__ FixpipeParamsV220(const uint16_t n, const uint16_t m, const uint16_t src,
        const uint32_t dst, const bool relu, const QuantMode_t quant, const int64_t deq,
        const uint16_t nd, const uint16_t srcNd, const uint16_t dstNd, const uint8_t unit)
        : nSize(n), mSize(m), srcStride(src), dstStride(dst), quantPre(quant), deqScalar(deq),
            ndNum(nd),
          srcNdStride(srcNd), dstNdStride(dstNd), reluEn(relu), unitFlag(unit) {}
    uint16_t nSize = 0, mSize = 0, srcStride = 0;
    uint32_t dstStride = 0;
    QuantMode_t quantPre = QuantMode_t::NoQuant;
    uint64_t deqScalar = 0;
    uint16_t ndNum = 1, srcNdStride = 0, dstNdStride = 0;
    bool reluEn = false;
    uint8_t unitFlag = 0;
    bool isChannelSplit = false;
};

struct LoadData2dTransposeParams {
    __aicore__ LoadData2dTransposeParams() {}
    __aicore__ LoadData2dTransposeParams(const uint16_t start, const uint8_t repeat,
        const uint16_t src,
        const uint16_t dst, const uint16_t dstFrac)
        : startIndex(start), repeatTimes(repeat), srcStride(src), dstGap(dst),
            dstFracGap(dstFrac) {}
    uint16_t startIndex = 0;
    uint8_t repeatTimes = 0;
    uint16_t srcStride = 0, dstGap = 0, dstFracGap = 0;
    uint8_t addrMode = 0;
};
#endif

struct LoadData2DParams {
    __aicore__ LoadData2DParams() {}
    __aicore__ LoadData2DParams(const uint16_t start, const uint8_t repeat, const uint16_t src,
        const uint8_t sidIn, const uint16_t dst, const bool transpose, const uint8_t addr)
        : startIndex(start), dstGap(dst), srcStride(src), ifTranspose(transpose),
            repeatTimes(repeat),
          sid(sidIn), addrMode(addr) {}
    uint16_t startIndex = 0, dstGap = 0, srcStride = 0;
    bool ifTranspose = false;
    uint8_t repeatTimes = 0, sid = 0, addrMode = 0;
};
using LoadData2dParams = LoadData2DParams;

struct MmadParams {
    __aicore__ MmadParams() {}
    __aicore__ MmadParams(const uint16_t mIn, const uint16_t nIn, const uint16_t kIn,
        const bool bias,
        const int32_t offset, const bool sparse, const bool winogradA, const bool winogradB)
        : m(mIn), n(nIn), k(kIn), isBias(bias), fmOffset(offset), enSsparse(sparse),
          enWinogradA(winogradA), enWinogradB(winogradB) {}
    __aicore__ MmadParams(const uint16_t mIn, const uint16_t nIn, const uint16_t kIn,
        const uint8_t unit,
        const bool source, const bool initVal)
        : m(mIn), n(nIn), k(kIn), unitFlag(unit), cmatrixSource(source), cmatrixInitVal(initVal) {}
    uint16_t m = 0, n = 0, k = 0;
    bool isBias = false;
    int32_t fmOffset = 0;
    bool enSsparse = false, enWinogradA = false, enWinogradB = false;
    uint8_t unitFlag = 0;
    bool kDirectionAlign = false, cmatrixSource = false, cmatrixInitVal = true;
};

template <typename U> struct InitConstValueParams {
    __aicore__ InitConstValueParams() {}
    __aicore__ InitConstValueParams(const uint16_t repeat, const uint16_t block, const uint16_t gap,
        const U value)
        : repeatTimes(repeat), blockNum(block), dstGap(gap), initValue(value) {}
    uint16_t repeatTimes = 0, blockNum = 0, dstGap = 0;
    U initValue = {};
};

} // namespace AscendC
#endif
