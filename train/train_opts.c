/* SPDX-License-Identifier: Apache-2.0 */
/* Options of all stages. */
#include "am/tree.h"
#include "train/train.h"

#define AT(field) offsetof(sn_train_opts, field)
const sn_opt sn_train_opt_table[] = {
    {"jobs", SN_OPT_INT, AT(jobs), 0, 0, 1024, NULL, "threads",
     "at work; 0: as many as the machine has"},
    {"mono-gauss", SN_OPT_INT, AT(mono_gauss), 1000, 1, 10000000, NULL, NULL,
     "Gaussians of the monophones, in all"},
    {"mono-passes", SN_OPT_INT, AT(mono_passes), 40, 1, 1000, NULL, NULL,
     "passes of the monophones"},
    {"tri-leaves", SN_OPT_INT, AT(tri_leaves), 300, 1, 1000000, NULL, NULL,
     "leaves of the triphones' trees, before they are joined"},
    {"tri-gauss", SN_OPT_INT, AT(tri_gauss), 3000, 1, 10000000, NULL, NULL,
     "Gaussians of the triphones, in all"},
    {"tri-passes", SN_OPT_INT, AT(tri_passes), 35, 1, 1000, NULL, NULL,
     "passes of the triphones"},
    {"roots", SN_OPT_ENUM, AT(roots), SN_ROOTS_PHONE, 0, 1, "phone|state", NULL,
     "what a tree begins with: all states of a phone, or one"},
    {"power", SN_OPT_DOUBLE, AT(power), 0.25, 0, 1, NULL, NULL,
     "Gaussians of a pdf grow as its frames to this power"},
    {"beam", SN_OPT_DOUBLE, AT(beam), 200, 1, 1e6, NULL, "nat",
     "of alignment; four times that where it fails"},
    {"silence", SN_OPT_DOUBLE, AT(silence), 0.5, 1e-6, 0.999999, NULL, NULL,
     "probability of silence between words"},
    {"min-occ", SN_OPT_DOUBLE, AT(min_occ), 10, 0, 1e6, NULL, "frames",
     "that keep a Gaussian"},
    {"var-floor", SN_OPT_DOUBLE, AT(var_floor), 0.001, 1e-9, 1e6, NULL, NULL,
     "lowest variance"},
    {"lm-scale", SN_OPT_DOUBLE, AT(lm_scale), 10, 0, 1000, NULL, NULL,
     "of language models, by default, in the model made"},
    {"word-penalty", SN_OPT_DOUBLE, AT(word_penalty), 0, -1000, 1000, NULL,
     NULL, "natural log for each word, likewise"},
    {"word-pos", SN_OPT_BOOL, AT(word_pos), 1, 0, 1, NULL, NULL,
     "trees may ask where in the word a phone is"},
    {"silence-phone", SN_OPT_STRING, AT(silence_phone), 0, 0, 0, "SIL", NULL,
     "name of silence among the phones"},
    SN_OPT_END};
#undef AT
