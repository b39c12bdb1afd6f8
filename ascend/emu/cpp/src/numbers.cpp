// Half conversions of whole arrays, with the chip's behaviour at overflow.
#include <cmath>
#include <cfloat>

#if defined(__F16C__) && defined(__AVX2__)
#include <immintrin.h>
#endif

#include "core.h"

namespace emu {

bool saturates() { return k310; }

float halfToFloat(uint16_t h) { return fromHalf(h); }
uint16_t floatToHalf(float f) { return toHalf(f, k310); }

void widen(float* out, const uint16_t* in, size_t n)
{
    size_t i = 0;
#if defined(__F16C__) && defined(__AVX2__)
    for (; i + 8 <= n; i += 8) {
        __m128i h = _mm_loadu_si128(reinterpret_cast<const __m128i*>(in + i));
        _mm256_storeu_ps(out + i, _mm256_cvtph_ps(h));
    }
#endif
    for (; i < n; i++) {
        out[i] = fromHalf(in[i]);
    }
}

void narrow(uint16_t* out, const float* in, size_t n)
{
    size_t i = 0;
#if defined(__F16C__) && defined(__AVX2__)
    const __m256 top = _mm256_set1_ps(65504.0f), bottom = _mm256_set1_ps(-65504.0f);
    for (; i + 8 <= n; i += 8) {
        __m256 v = _mm256_loadu_ps(in + i);
        if (k310) {
            v = _mm256_and_ps(v, _mm256_cmp_ps(v, v, _CMP_ORD_Q));
            v = _mm256_max_ps(_mm256_min_ps(v, top), bottom);
        }
        _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i),
            _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
    }
#endif
    for (; i < n; i++) {
        out[i] = toHalf(in[i], k310);
    }
}

} // namespace emu
