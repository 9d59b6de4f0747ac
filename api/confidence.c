/* SPDX-License-Identifier: Apache-2.0 */
/* Posteriors into probabilities, by the model's own fit ([confidence] of
 * model.ini, which 'senone score --fit-confidence' makes). */
#include <math.h>
#include <string.h>

#include "api/api_internal.h"
#include "base/mem.h"

sn_status sni_answer_calibrate(const senone_model *m, const sn_settings *set,
                               sni_answer *a, sn_err *err) {
  const size_t n = a->hyp.n_words;
  if (!m->has_confidence || a->confidence == NULL || n == 0 ||
      set->confidence == SN_SETTINGS_CONFIDENCE_POSTERIOR)
    return SN_OK;
  sn_conf_word *const words = sn_calloc(n, sizeof *words);
  if (words == NULL) return sn_fail_nomem(err, "confidences");
  for (size_t i = 0; i < n; i++) {
    const sn_hyp_word *const w = &a->hyp.words[i];
    const char *const word = sn_graph_word(m->graph, w->word);
    words[i] =
        (sn_conf_word){fmax(a->confidence[i], 0.0), w->end_s - w->begin_s,
                       sn_conf_letters(sn_span_of(word))};
  }
  for (size_t i = 0; i < n; i++) {
    double x[SN_CONF_N];
    if (a->confidence[i] < 0.0) continue; /* not known */
    sn_conf_features(words, n, i, x);
    a->confidence[i] = sn_conf_apply(&m->confidence, x);
  }
  sn_free(words);
  return SN_OK;
}
