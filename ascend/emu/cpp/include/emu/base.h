// Scalar types, address-space marks and the small traits the interface needs. No standard C++
// header
// is used here: kernels are compiled with -nostdinc++, so that they cannot use one either.
#ifndef EMU_BASE_H
#define EMU_BASE_H

#include <stddef.h>
#include <stdint.h>

#if !defined(__CCE_AICORE__)
#error "the compiler driver must define __CCE_AICORE__ (200 or 220)"
#endif

#define __aicore__ __attribute__((unused))
#define __global__

// Calls of the interface are not inlined, so that a kernel's stack frame holds its own objects
// only.
#define EMU_API inline __attribute__((noinline, unused))

// With clang each memory is an address space of its own; other compilers can at least keep global
// memory apart from everything else, through a qualifier that kernels have no use for.
#if defined(__clang__)
#define __gm__ __attribute__((address_space(0x101)))
#define EMU_DROP_SPACE(T, p) (reinterpret_cast<T*>((uintptr_t)(p)))
#else
#define __gm__ volatile
#define EMU_DROP_SPACE(T, p) (const_cast<T*>(p))
#endif
#define __ubuf__
#define __cbuf__
#define __ca__
#define __cb__
#define __cc__
#define __fbuf__
#define GM_ADDR __gm__ uint8_t*

namespace emu {

constexpr bool k310 = __CCE_AICORE__ == 200;

// toHalf rounds to nearest even. Where the core saturates (310P), overflow gives the largest finite
// value and NaN gives zero; elsewhere they stay infinite and NaN.
constexpr uint16_t toHalf(float f, bool saturate)
{
    uint32_t x = __builtin_bit_cast(uint32_t, f);
    uint32_t sign = (x >> 16) & 0x8000u;
    uint32_t a = x & 0x7fffffffu;
    if (a > 0x7f800000u) {
        return saturate ? 0 : static_cast<uint16_t>(sign | 0x7e00u);
    }
    if (a >= 0x477ff000u) {
        return static_cast<uint16_t>(sign | (saturate ? 0x7bffu : 0x7c00u));
    }
    if (a < 0x33000001u) {
        return static_cast<uint16_t>(sign);
    }
    if (a < 0x38800000u) {
        uint32_t shift = 126u - (a >> 23);
        uint32_t m = (a & 0x7fffffu) | 0x800000u;
        uint32_t rest = m & ((1u << shift) - 1u);
        uint32_t half = 1u << (shift - 1u);
        m >>= shift;
        m += (rest > half || (rest == half && (m & 1u))) ? 1u : 0u;
        return static_cast<uint16_t>(sign | m);
    }
    uint32_t r = a + 0xfffu + ((a >> 13) & 1u);
    return static_cast<uint16_t>(sign | ((r - 0x38000000u) >> 13));
}

constexpr float fromHalf(uint16_t h)
{
    uint32_t sign = (h & 0x8000u) << 16;
    uint32_t e = (h >> 10) & 31u;
    uint32_t m = h & 0x3ffu;
    if (e == 31u) {
        return __builtin_bit_cast(float, sign | 0x7f800000u | (m << 13));
    }
    if (e == 0) {
        float v = static_cast<float>(m) * 5.9604644775390625e-8f;
        return sign ? -v : v;
    }
    return __builtin_bit_cast(float, sign | ((e + 112u) << 23) | (m << 13));
}

template <bool B, typename T = void> struct EnableIf {};
template <typename T> struct EnableIf<true, T> { using Type = T; };
template <typename A, typename B> struct Same { static constexpr bool value = false; };
template <typename A> struct Same<A, A> { static constexpr bool value = true; };
template <typename T, typename... L> struct OneOf {
    static constexpr bool value = (Same<T, L>::value || ...);
};
template <typename T> struct IsNumber {
    static constexpr bool value = OneOf<T, float, double, int8_t, uint8_t, int16_t, uint16_t,
        int32_t,
        uint32_t, int64_t, uint64_t, long long, unsigned long long>::value;
};
template <typename T> struct Identity { using Type = T; };

} // namespace emu

// half on the scalar unit can only be converted: it has no operators on purpose.
struct half {
    uint16_t bits;
    half() = default;
    template <typename T, typename = typename emu::EnableIf<emu::IsNumber<T>::value>::Type>
    constexpr half(T v) : bits(emu::toHalf(static_cast<float>(v), emu::k310)) {}
    template <typename T, typename = typename emu::EnableIf<emu::IsNumber<T>::value>::Type>
    constexpr explicit operator T() const { return static_cast<T>(emu::fromHalf(bits)); }
};

#if __CCE_AICORE__ == 220
// bfloat16_t rounds to nearest even.
struct bfloat16_t {
    uint16_t bits;
    bfloat16_t() = default;
};
#endif

namespace emu {

enum DType : uint8_t { I8, U8, I16, U16, F16, BF16, I32, U32, F32, I64, U64 };

template <typename T> struct TypeOf {};
template <> struct TypeOf<int8_t> { static constexpr DType value = I8; };
template <> struct TypeOf<uint8_t> { static constexpr DType value = U8; };
template <> struct TypeOf<int16_t> { static constexpr DType value = I16; };
template <> struct TypeOf<uint16_t> { static constexpr DType value = U16; };
template <> struct TypeOf<half> { static constexpr DType value = F16; };
template <> struct TypeOf<int32_t> { static constexpr DType value = I32; };
template <> struct TypeOf<uint32_t> { static constexpr DType value = U32; };
template <> struct TypeOf<float> { static constexpr DType value = F32; };
template <> struct TypeOf<int64_t> { static constexpr DType value = I64; };
template <> struct TypeOf<uint64_t> { static constexpr DType value = U64; };
#if __CCE_AICORE__ == 220
template <> struct TypeOf<bfloat16_t> { static constexpr DType value = BF16; };
#endif

constexpr uint32_t sizeOf(DType t)
{
    return t <= U8 ? 1u : t <= BF16 ? 2u : t <= F32 ? 4u : 8u;
}

// Loc is the place of a call in the kernel text.
struct Loc {
    int line;
    static constexpr Loc here(int l = __builtin_LINE()) { return Loc{l}; }
};

} // namespace emu

#define EMU_LOC emu::Loc loc = emu::Loc::here()
#define EMU_TYPES(api, T, ...) \
    static_assert(emu::OneOf<T, __VA_ARGS__>::value, \
        api ": this element type is not supported on this chip")

#endif
