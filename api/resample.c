/* SPDX-License-Identifier: Apache-2.0 */
/* Sample-rate conversion of a stream by libsoxr. */
#include <soxr.h>

#include "api/api_internal.h"
#include "base/arr.h"
#include "base/mem.h"

struct sni_resampler {
  soxr_t soxr;
  double ratio; /* output samples per input sample */
  SN_ARR(float) out;
};

sn_status sni_resampler_create(double from_hz, double to_hz,
                               sni_resampler **out, sn_err *err) {
  *out = NULL;
  sni_resampler *const r = sn_calloc(1, sizeof *r);
  if (r == NULL) return sn_fail_nomem(err, "resampler");
  soxr_error_t e = NULL;
  const soxr_io_spec_t io = soxr_io_spec(SOXR_FLOAT32_I, SOXR_FLOAT32_I);
  const soxr_quality_spec_t q = soxr_quality_spec(SOXR_HQ, 0);
  r->ratio = to_hz / from_hz;
  r->soxr = soxr_create(from_hz, to_hz, 1, &e, &io, &q, NULL);
  if (r->soxr == NULL || e != NULL) {
    sni_resampler_destroy(r);
    return sn_fail(err, SN_EEXTERNAL,
                   "resampling from %g to %g Hz: libsoxr: %s", from_hz, to_hz,
                   e != NULL ? e : "no reason given");
  }
  *out = r;
  return SN_OK;
}

void sni_resampler_destroy(sni_resampler *r) {
  if (r == NULL) return;
  if (r->soxr != NULL) soxr_delete(r->soxr);
  SN_ARR_FREE(&r->out);
  sn_free(r);
}

sn_status sni_resampler_push(sni_resampler *r, const float *samples, size_t n,
                             bool last, const float **out, size_t *n_out,
                             sn_err *err) {
  size_t used = 0, total = 0;
  for (;;) {
    /* What is still inside comes out too, so ask for more than the ratio. */
    SN_TRY(SN_ARR_RESIZE(
        &r->out, total + (size_t)((double)(n - used) * r->ratio) + 4096, err));
    size_t took = 0, made = 0;
    /* No input at all means the end of the stream; none for now is length 0 of
     * something. */
    const bool flush = last && used == n;
    const soxr_in_t in = flush      ? NULL
                         : used < n ? (soxr_in_t)(samples + used)
                                    : (soxr_in_t)&r->ratio;
    const size_t space = r->out.n - total;
    const soxr_error_t e = soxr_process(r->soxr, in, n - used, &took,
                                        r->out.data + total, space, &made);
    if (e != NULL)
      return sn_fail(err, SN_EEXTERNAL, "resampling: libsoxr: %s", e);
    used += took;
    total += made;
    if (used == n && made < space && (flush || !last)) break;
  }
  *out = r->out.data;
  *n_out = total;
  return SN_OK;
}
