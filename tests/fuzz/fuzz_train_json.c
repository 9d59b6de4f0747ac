/* SPDX-License-Identifier: Apache-2.0 */
/* train.json and tree.json: the same bytes as each, then drawn. */
#include <stddef.h>
#include <stdint.h>

#include "train/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  sn_train_log log;
  sn_report_tree tree;
  sn_str svg = {0};
  const char *const json = (const char *)data;
  if (sn_train_log_read(json, size, "fuzz", &log, NULL) == SN_OK) {
    if (sn_report_curves_svg(&log, 1, &svg, NULL) != SN_OK) sn_str_reset(&svg);
    sn_train_log_clear(&log);
  }
  if (sn_report_tree_read(json, size, "fuzz", &tree, NULL) == SN_OK) {
    static const int32_t gauss[4] = {1, 2, 3, 4};
    double occupancy[4] = {1, 2, 3, 4};
    char stage[] = "fuzz";
    const sn_train_log four = {
        .stage = stage, .pdfs = 4, .occupancy = occupancy};
    const char *const phone = sn_report_tree_largest(&tree);
    if (phone != NULL &&
        sn_report_tree_svg(&tree, phone, &four, gauss, &svg, NULL) != SN_OK)
      sn_str_reset(&svg);
    sn_report_tree_clear(&tree);
  }
  sn_str_clear(&svg);
  return 0;
}
