/* SPDX-License-Identifier: Apache-2.0 */
/* The innermost loops of Gaussian scoring: plain C, and AVX2 with FMA chosen
 * when the program runs.
 *
 * log: x = 2^e m with m in [2/3, 4/3), s = (m - 1) / (m + 1), |s| <= 1/5, and
 *   log m = 2 s + 2 s^3 (1/3 + s^2/5 + s^4/7 + s^6/9) + r,
 *   |r| <= 2 s^11 / 11 / (1 - s^2) < 4e-9.
 * e ln 2 is added as a float with 9 trailing zero bits, exact for |e| < 512,
 * and a remainder. Rounding: s has a relative error below 1.5 ulp (m - 1 is
 * exact), the rest about as much, the last addition half an ulp of the result:
 * in all below 1.5e-7 (1 + |log x|), which the test confirms for all m.
 * Source of the series: Abramowitz and Stegun, 4.1.27. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "am/gmm_internal.h"

#if defined(__x86_64__) && defined(__GNUC__)
#define SNI_GMM_AVX2 1
#include <immintrin.h>
#endif

enum { LANES = SNI_GMM_LANES };

#define TWO_THIRDS_BITS 0x3f2aaaab
#define LN2_HIGH 0.693145751953125f /* 0x3f317200: 9 trailing zero bits */
#define LN2_LOW 1.42860682030941723212e-6f

/* ---- Plain C ---- */

static void densities_plain(const float *params, size_t n_groups, size_t n_dims,
                            const float *x, size_t n_frames, float *out,
                            size_t ld) {
  for (size_t g = 0; g < n_groups; g++) {
    for (size_t t = 0; t < n_frames; t++) {
      const float *p = params;
      float *const to = out + t * ld + g * LANES;
      memcpy(to, p, LANES * sizeof *to);
      p += LANES;
      for (size_t d = 0; d < n_dims; d++, p += 2 * LANES) {
        const float v = x[t * n_dims + d];
        for (size_t i = 0; i < LANES; i++) {
          const float z = v * p[i] + p[LANES + i];
          to[i] -= z * z;
        }
      }
    }
    params += (1 + 2 * n_dims) * LANES;
  }
}

/* Puts v into the falling list of n, if it is above the last of them. */
static inline void insert(int32_t i, float v, size_t n, int32_t *index,
                          float *value) {
  if (!(v > value[n - 1])) return;
  size_t at = n - 1;
  for (; at > 0 && v > value[at - 1]; at--) {
    value[at] = value[at - 1];
    index[at] = index[at - 1];
  }
  value[at] = v;
  index[at] = i;
}

static void start_list(size_t n, int32_t *index, float *value) {
  for (size_t j = 0; j < n; j++) {
    index[j] = (int32_t)j; /* valid whatever the values are */
    value[j] = -INFINITY;
  }
}

static void top_plain(const float *v, size_t n, size_t top_n, int32_t *index,
                      float *value) {
  start_list(top_n, index, value);
  for (size_t i = 0; i < n; i++) insert((int32_t)i, v[i], top_n, index, value);
}

static void mix_plain(const float *const *rows, const float *e,
                      size_t n_streams, size_t top_n, size_t n, float *out) {
  for (size_t i = 0; i < n; i++) {
    float product = 1.0f;
    for (size_t k = 0; k < n_streams; k++) {
      float sum = 0.0f;
      for (size_t j = k * top_n; j < (k + 1) * top_n; j++)
        sum += e[j] * rows[j][i];
      product *= sum;
    }
    out[i] = product;
  }
}

static float log_plain(float x) {
  int32_t bits;
  if (!(x > FLT_MIN)) x = FLT_MIN;
  memcpy(&bits, &x, sizeof bits);
  const int32_t e = (bits - TWO_THIRDS_BITS) >> 23;
  bits -= (int32_t)((uint32_t)e << 23);
  float m;
  memcpy(&m, &bits, sizeof m);
  const float s = (m - 1.0f) / (m + 1.0f), s2 = s * s;
  float p = 1.0f / 9.0f;
  p = p * s2 + 1.0f / 7.0f;
  p = p * s2 + 1.0f / 5.0f;
  p = p * s2 + 1.0f / 3.0f;
  const float s_2 = s + s, e_f = (float)e;
  const float low = s_2 * s2 * p + e_f * LN2_LOW;
  return e_f * LN2_HIGH + (s_2 + low);
}

static void logs_plain(float *v, size_t n) {
  for (size_t i = 0; i < n; i++) v[i] = log_plain(v[i]);
}

const sni_gmm_kernels sni_gmm_plain = {"plain", densities_plain, top_plain,
                                       mix_plain, logs_plain};

/* ---- AVX2 and FMA ---- */
#ifdef SNI_GMM_AVX2
#define AVX2 __attribute__((target("avx2,fma")))
#define AVX2_INLINE \
  __attribute__((target("avx2,fma"), always_inline)) static inline

/* One group for four frames: 8 sums, 16 multiply-adds for 8 loads. */
AVX2 static void group_4(const float *p, size_t n_dims, const float *x,
                         float *out, size_t ld) {
  const __m256 c0 = _mm256_loadu_ps(p), c1 = _mm256_loadu_ps(p + 8);
  __m256 a00 = c0, a01 = c1, a10 = c0, a11 = c1;
  __m256 a20 = c0, a21 = c1, a30 = c0, a31 = c1;
  const float *const x1 = x + n_dims, *const x2 = x1 + n_dims;
  const float *const x3 = x2 + n_dims;
  p += LANES;
  for (size_t d = 0; d < n_dims; d++, p += 2 * LANES) {
    const __m256 s0 = _mm256_loadu_ps(p), s1 = _mm256_loadu_ps(p + 8);
    const __m256 q0 = _mm256_loadu_ps(p + 16), q1 = _mm256_loadu_ps(p + 24);
    __m256 v = _mm256_broadcast_ss(x + d);
    __m256 z0 = _mm256_fmadd_ps(v, s0, q0), z1 = _mm256_fmadd_ps(v, s1, q1);
    a00 = _mm256_fnmadd_ps(z0, z0, a00);
    a01 = _mm256_fnmadd_ps(z1, z1, a01);
    v = _mm256_broadcast_ss(x1 + d);
    z0 = _mm256_fmadd_ps(v, s0, q0);
    z1 = _mm256_fmadd_ps(v, s1, q1);
    a10 = _mm256_fnmadd_ps(z0, z0, a10);
    a11 = _mm256_fnmadd_ps(z1, z1, a11);
    v = _mm256_broadcast_ss(x2 + d);
    z0 = _mm256_fmadd_ps(v, s0, q0);
    z1 = _mm256_fmadd_ps(v, s1, q1);
    a20 = _mm256_fnmadd_ps(z0, z0, a20);
    a21 = _mm256_fnmadd_ps(z1, z1, a21);
    v = _mm256_broadcast_ss(x3 + d);
    z0 = _mm256_fmadd_ps(v, s0, q0);
    z1 = _mm256_fmadd_ps(v, s1, q1);
    a30 = _mm256_fnmadd_ps(z0, z0, a30);
    a31 = _mm256_fnmadd_ps(z1, z1, a31);
  }
  _mm256_storeu_ps(out, a00);
  _mm256_storeu_ps(out + 8, a01);
  _mm256_storeu_ps(out + ld, a10);
  _mm256_storeu_ps(out + ld + 8, a11);
  _mm256_storeu_ps(out + 2 * ld, a20);
  _mm256_storeu_ps(out + 2 * ld + 8, a21);
  _mm256_storeu_ps(out + 3 * ld, a30);
  _mm256_storeu_ps(out + 3 * ld + 8, a31);
}

AVX2 static void group_1(const float *p, size_t n_dims, const float *x,
                         float *out) {
  __m256 a0 = _mm256_loadu_ps(p), a1 = _mm256_loadu_ps(p + 8);
  p += LANES;
  for (size_t d = 0; d < n_dims; d++, p += 2 * LANES) {
    const __m256 v = _mm256_broadcast_ss(x + d);
    const __m256 z0 =
        _mm256_fmadd_ps(v, _mm256_loadu_ps(p), _mm256_loadu_ps(p + 16));
    const __m256 z1 =
        _mm256_fmadd_ps(v, _mm256_loadu_ps(p + 8), _mm256_loadu_ps(p + 24));
    a0 = _mm256_fnmadd_ps(z0, z0, a0);
    a1 = _mm256_fnmadd_ps(z1, z1, a1);
  }
  _mm256_storeu_ps(out, a0);
  _mm256_storeu_ps(out + 8, a1);
}

AVX2 static void densities_avx2(const float *params, size_t n_groups,
                                size_t n_dims, const float *x, size_t n_frames,
                                float *out, size_t ld) {
  for (size_t g = 0; g < n_groups; g++) {
    size_t t = 0;
    for (; t + 4 <= n_frames; t += 4)
      group_4(params, n_dims, x + t * n_dims, out + t * ld, ld);
    for (; t < n_frames; t++)
      group_1(params, n_dims, x + t * n_dims, out + t * ld);
    params += (1 + 2 * n_dims) * LANES;
    out += LANES;
  }
}

/* The top_n-th largest of the maxima of 8 interleaved parts: top_n values at
 * least are as large, so nothing below it can be among the top_n. */
AVX2 static float top_bound(const float *v, size_t n, size_t top_n) {
  __m256 m0 = _mm256_loadu_ps(v), m1 = m0;
  size_t i = 8;
  for (; i + 16 <= n; i += 16) {
    m0 = _mm256_max_ps(m0, _mm256_loadu_ps(v + i));
    m1 = _mm256_max_ps(m1, _mm256_loadu_ps(v + i + 8));
  }
  if (i + 8 <= n) m0 = _mm256_max_ps(m0, _mm256_loadu_ps(v + i));
  const __m256 m = _mm256_max_ps(m0, m1);
  float lane[8], bound = INFINITY;
  _mm256_storeu_ps(lane, m);
  for (size_t a = 0; a < 8; a++) {
    const __m256 above =
        _mm256_cmp_ps(m, _mm256_broadcast_ss(lane + a), _CMP_GT_OQ);
    const int n_above = __builtin_popcount((unsigned)_mm256_movemask_ps(above));
    if ((size_t)n_above < top_n && lane[a] < bound) bound = lane[a];
  }
  return bound;
}

AVX2 static void top_avx2(const float *v, size_t n, size_t top_n,
                          int32_t *index, float *value) {
  if (n < 8 || top_n > 8) {
    top_plain(v, n, top_n, index, value);
    return;
  }
  const __m256 bound = _mm256_set1_ps(top_bound(v, n, top_n));
  start_list(top_n, index, value);
  size_t i = 0;
  while (i + 8 <= n) { /* 64 at a time, then what is left of eights */
    const size_t first = i;
    uint64_t mask = 0;
    for (size_t j = 0; j < 64 && i + 8 <= n; j += 8, i += 8) {
      const __m256 ge =
          _mm256_cmp_ps(_mm256_loadu_ps(v + i), bound, _CMP_GE_OQ);
      mask |= (uint64_t)(unsigned)_mm256_movemask_ps(ge) << j;
    }
    for (; mask != 0; mask &= mask - 1) {
      const size_t at = first + (size_t)__builtin_ctzll(mask);
      insert((int32_t)at, v[at], top_n, index, value);
    }
  }
  for (; i < n; i++) insert((int32_t)i, v[i], top_n, index, value);
}

/* Weighted sums of one stream for eight pdfs. */
AVX2_INLINE __m256 sum_8(const float *const *rows, const float *e, size_t top_n,
                         size_t i) {
  __m256 sum =
      _mm256_mul_ps(_mm256_broadcast_ss(e), _mm256_loadu_ps(rows[0] + i));
  for (size_t j = 1; j < top_n; j++)
    sum = _mm256_fmadd_ps(_mm256_broadcast_ss(e + j),
                          _mm256_loadu_ps(rows[j] + i), sum);
  return sum;
}

AVX2_INLINE __m256 mix_8(const float *const *rows, const float *e,
                         size_t n_streams, size_t top_n, size_t i) {
  __m256 product = sum_8(rows, e, top_n, i);
  for (size_t k = 1; k < n_streams; k++)
    product = _mm256_mul_ps(product,
                            sum_8(rows + k * top_n, e + k * top_n, top_n, i));
  return product;
}

/* n >= 8; the last eight may be done twice. Inlined with constant counts. */
AVX2_INLINE void mix_all(const float *const *rows, const float *e,
                         size_t n_streams, size_t top_n, size_t n, float *out) {
  size_t i = 0;
  for (; i + 8 <= n; i += 8)
    _mm256_storeu_ps(out + i, mix_8(rows, e, n_streams, top_n, i));
  if (i < n)
    _mm256_storeu_ps(out + n - 8, mix_8(rows, e, n_streams, top_n, n - 8));
}

AVX2 static void mix_avx2(const float *const *rows, const float *e,
                          size_t n_streams, size_t top_n, size_t n,
                          float *out) {
  if (n < 8)
    mix_plain(rows, e, n_streams, top_n, n, out);
  else if (top_n == 4 && n_streams == 3)
    mix_all(rows, e, 3, 4, n, out);
  else if (top_n == 4 && n_streams == 4)
    mix_all(rows, e, 4, 4, n, out);
  else
    mix_all(rows, e, n_streams, top_n, n, out);
}

AVX2_INLINE __m256 log_8(__m256 x) {
  x = _mm256_max_ps(x, _mm256_set1_ps(FLT_MIN));
  const __m256 one = _mm256_set1_ps(1.0f);
  __m256i bits = _mm256_castps_si256(x);
  const __m256i e = _mm256_srai_epi32(
      _mm256_sub_epi32(bits, _mm256_set1_epi32(TWO_THIRDS_BITS)), 23);
  bits = _mm256_sub_epi32(bits, _mm256_slli_epi32(e, 23));
  const __m256 m = _mm256_castsi256_ps(bits);
  const __m256 s = _mm256_div_ps(_mm256_sub_ps(m, one), _mm256_add_ps(m, one));
  const __m256 s2 = _mm256_mul_ps(s, s), e_f = _mm256_cvtepi32_ps(e);
  __m256 p = _mm256_set1_ps(1.0f / 9.0f);
  p = _mm256_fmadd_ps(p, s2, _mm256_set1_ps(1.0f / 7.0f));
  p = _mm256_fmadd_ps(p, s2, _mm256_set1_ps(1.0f / 5.0f));
  p = _mm256_fmadd_ps(p, s2, _mm256_set1_ps(1.0f / 3.0f));
  const __m256 s_2 = _mm256_add_ps(s, s);
  const __m256 low = _mm256_fmadd_ps(
      _mm256_mul_ps(s_2, s2), p, _mm256_mul_ps(e_f, _mm256_set1_ps(LN2_LOW)));
  return _mm256_fmadd_ps(e_f, _mm256_set1_ps(LN2_HIGH),
                         _mm256_add_ps(s_2, low));
}

AVX2 static void logs_avx2(float *v, size_t n) {
  size_t i = 0;
  for (; i + 8 <= n; i += 8)
    _mm256_storeu_ps(v + i, log_8(_mm256_loadu_ps(v + i)));
  if (i == n) return;
  float rest[8] = {1, 1, 1, 1, 1, 1, 1, 1};
  memcpy(rest, v + i, (n - i) * sizeof *v);
  _mm256_storeu_ps(rest, log_8(_mm256_loadu_ps(rest)));
  memcpy(v + i, rest, (n - i) * sizeof *v);
}

static const sni_gmm_kernels avx2_kernels = {"avx2", densities_avx2, top_avx2,
                                             mix_avx2, logs_avx2};
#endif

const sni_gmm_kernels *sni_gmm_best_kernels(void) {
#ifdef SNI_GMM_AVX2
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    return &avx2_kernels;
#endif
  return &sni_gmm_plain;
}
