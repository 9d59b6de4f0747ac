/* SPDX-License-Identifier: Apache-2.0 */
/* Power spectrum of a real frame in double precision.
 *
 * The sphinx dialect decides by thresholds which frames are speech, so the
 * number of frames depends on the last bits of the spectrum: single precision
 * (kissfft) will not do, and double costs only some 2 us a frame of 512.
 *
 * 1. The n real samples are taken as m = n/2 complex ones, even samples in the
 *    real part, odd ones in the imaginary part.
 * 2. A Stockham autosort transform (Stockham 1966; decimation in frequency,
 *    radix 4, one radix-2 pass at the end where m is not a power of four)
 *    goes back and forth between two buffers: no bit reversal, and the inner
 *    loop walks memory with stride one. Real and imaginary parts lie apart, so
 *    that compilers vectorise it.
 * 3. The spectrum of the real signal follows from Z[k] and conj(Z[m-k])
 *    (Sorensen et al. 1987, "Real-valued fast Fourier transform algorithms").
 *
 * Twiddles: pass by pass, for p < n_pass/4, the triple w, w^2, w^3. */
#include "frontend/sphinx_fft_internal.h"

#include <math.h>

#include "base/mem.h"

static const double two_pi = 6.28318530717958647692;

struct sni_fft {
  size_t n, m;
  double *twiddle;             /* [6 x sum of m_pass/4]: re, im of w w^2 w^3 */
  double *split_re, *split_im; /* [m]: exp(-2 pi i k / n) */
};

void sni_fft_destroy(sni_fft *f) {
  if (f == NULL) return;
  sn_free(f->twiddle);
  sn_free(f->split_re);
  sn_free(f->split_im);
  sn_free(f);
}

sn_status sni_fft_create(size_t n, sni_fft **out, sn_err *err) {
  *out = NULL;
  if (n < 8 || (n & (n - 1)) != 0)
    return sn_fail(err, SN_EARG, "FFT length %zu is not a power of two from 8",
                   n);
  sni_fft *f = sn_calloc(1, sizeof *f);
  if (f == NULL) return sn_fail_nomem(err, "FFT");
  f->n = n;
  f->m = n / 2;
  /* m/4 + m/16 + ... < m/3 triples */
  f->twiddle = sn_calloc(6 * (f->m / 3 + 1), sizeof *f->twiddle);
  f->split_re = sn_calloc(f->m, sizeof *f->split_re);
  f->split_im = sn_calloc(f->m, sizeof *f->split_im);
  if (f->twiddle == NULL || f->split_re == NULL || f->split_im == NULL) {
    sni_fft_destroy(f);
    return sn_fail_nomem(err, "FFT tables");
  }
  double *w = f->twiddle;
  for (size_t len = f->m; len >= 4; len /= 4)
    for (size_t p = 0; p < len / 4; p++)
      for (size_t power = 1; power <= 3; power++) {
        const double angle = two_pi * (double)(power * p) / (double)len;
        *w++ = cos(angle);
        *w++ = -sin(angle);
      }
  for (size_t k = 0; k < f->m; k++) {
    const double angle = two_pi * (double)k / (double)n;
    f->split_re[k] = cos(angle);
    f->split_im[k] = -sin(angle);
  }
  *out = f;
  return SN_OK;
}

size_t sni_fft_scratch(const sni_fft *f) { return 4 * f->m; }

/* One radix-4 butterfly row: inputs a, b, c, d are `quarter` apart in x,
 * outputs `stride` apart in y, for `stride` neighbours. */
static void radix4_row(size_t stride, size_t quarter, const double *w,
                       const double *restrict xr, const double *restrict xi,
                       double *restrict yr, double *restrict yi) {
  const double w1r = w[0], w1i = w[1], w2r = w[2], w2i = w[3], w3r = w[4],
               w3i = w[5];
  const double *br = xr + quarter, *bi = xi + quarter;
  const double *cr = br + quarter, *ci = bi + quarter;
  const double *dr = cr + quarter, *di = ci + quarter;
  double *y1r = yr + stride, *y1i = yi + stride;
  double *y2r = y1r + stride, *y2i = y1i + stride;
  double *y3r = y2r + stride, *y3i = y2i + stride;
  for (size_t q = 0; q < stride; q++) {
    const double sum_ac_r = xr[q] + cr[q], sum_ac_i = xi[q] + ci[q];
    const double dif_ac_r = xr[q] - cr[q], dif_ac_i = xi[q] - ci[q];
    const double sum_bd_r = br[q] + dr[q], sum_bd_i = bi[q] + di[q];
    /* j (b - d) */
    const double jbd_r = di[q] - bi[q], jbd_i = br[q] - dr[q];
    const double u_r = dif_ac_r - jbd_r, u_i = dif_ac_i - jbd_i;
    const double v_r = sum_ac_r - sum_bd_r, v_i = sum_ac_i - sum_bd_i;
    const double t_r = dif_ac_r + jbd_r, t_i = dif_ac_i + jbd_i;
    yr[q] = sum_ac_r + sum_bd_r;
    yi[q] = sum_ac_i + sum_bd_i;
    y1r[q] = u_r * w1r - u_i * w1i;
    y1i[q] = u_r * w1i + u_i * w1r;
    y2r[q] = v_r * w2r - v_i * w2i;
    y2i[q] = v_r * w2i + v_i * w2r;
    y3r[q] = t_r * w3r - t_i * w3i;
    y3i[q] = t_r * w3i + t_i * w3r;
  }
}

/* Step 2; returns which of the two buffers holds the result. */
static size_t transform(const sni_fft *f, double *re[2], double *im[2]) {
  size_t from = 0, len = f->m, stride = 1;
  const double *w = f->twiddle;
  for (; len >= 4; len /= 4, stride *= 4) {
    const size_t quarter = stride * (len / 4);
    for (size_t p = 0; p < len / 4; p++, w += 6)
      radix4_row(stride, quarter, w, re[from] + stride * p,
                 im[from] + stride * p, re[1 - from] + 4 * stride * p,
                 im[1 - from] + 4 * stride * p);
    from = 1 - from;
  }
  if (len == 2) {
    const double *xr = re[from], *xi = im[from];
    double *yr = re[1 - from], *yi = im[1 - from];
    for (size_t q = 0; q < stride; q++) {
      yr[q] = xr[q] + xr[q + stride];
      yi[q] = xi[q] + xi[q + stride];
      yr[q + stride] = xr[q] - xr[q + stride];
      yi[q + stride] = xi[q] - xi[q + stride];
    }
    from = 1 - from;
  }
  return from;
}

void sni_fft_power(const sni_fft *f, const double *restrict in,
                   double *restrict scratch, double *restrict power) {
  const size_t m = f->m;
  double *re[2] = {scratch, scratch + 2 * m};
  double *im[2] = {scratch + m, scratch + 3 * m};
  for (size_t k = 0; k < m; k++) { /* 1 */
    re[0][k] = in[2 * k];
    im[0][k] = in[2 * k + 1];
  }
  const size_t at = transform(f, re, im); /* 2 */
  const double *zr = re[at], *zi = im[at];
  power[0] = (zr[0] + zi[0]) * (zr[0] + zi[0]); /* 3 */
  power[m] = (zr[0] - zi[0]) * (zr[0] - zi[0]);
  for (size_t k = 1; k < m; k++) {
    const double even_r = 0.5 * (zr[k] + zr[m - k]);
    const double even_i = 0.5 * (zi[k] - zi[m - k]);
    const double odd_r = 0.5 * (zi[k] + zi[m - k]);
    const double odd_i = 0.5 * (zr[m - k] - zr[k]);
    const double wr = f->split_re[k], wi = f->split_im[k];
    const double r = even_r + odd_r * wr - odd_i * wi;
    const double i = even_i + odd_r * wi + odd_i * wr;
    power[k] = r * r + i * i;
  }
}
