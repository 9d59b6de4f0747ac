// SPDX-License-Identifier: Apache-2.0
// graphs/fst.cc - see fst.h. Every entry point runs its body in guard(), checks
// what OpenFst does not (state ids, labels, NaN) before it calls, and looks for
// kError after.
#include "graphs/fst.h"

#include <fst/fstlib.h>

#include <cmath>
#include <limits>
#include <memory>
#include <new>

struct sn_fst {
  fst::StdVectorFst g;
};

namespace {

using fst::StdArc;
using fst::StdVectorFst;
using Ptr = std::unique_ptr<sn_fst>;

template <class F>
sn_status guard(sn_err *err, const char *what, F body) noexcept {
  try {
    if (FLAGS_fst_error_fatal) FLAGS_fst_error_fatal = false;
    return body();
  } catch (const std::bad_alloc &) {
    return sn_fail(err, SN_ENOMEM, "%s: out of memory", what);
  } catch (const std::exception &e) {
    return sn_fail(err, SN_EEXTERNAL, "%s: %s", what, e.what());
  } catch (...) {
    return sn_fail(err, SN_EEXTERNAL, "%s: unknown C++ exception", what);
  }
}

bool has_state(const sn_fst *f, int32_t s) {
  return s >= 0 && s < f->g.NumStates();
}

// Hands a result over unless OpenFst marked it as bad.
sn_status give(Ptr f, const char *what, sn_fst **out, sn_err *err) {
  if (f->g.Properties(fst::kError, false))
    return sn_fail(err, SN_EEXTERNAL,
                   "%s: OpenFst marked the result as an error; its reason is "
                   "on stderr",
                   what);
  *out = f.release();
  return SN_OK;
}

}  // namespace

extern "C" {

sn_status sn_fst_create(sn_fst **out, sn_err *err) {
  *out = nullptr;
  return guard(err, "fst create", [&] {
    *out = new sn_fst;
    return SN_OK;
  });
}

void sn_fst_destroy(sn_fst *f) { delete f; }

sn_status sn_fst_add_state(sn_fst *f, int32_t *id, sn_err *err) {
  return guard(err, "fst add state", [&] {
    *id = f->g.AddState();
    if (*id == 0) f->g.SetStart(0);
    return SN_OK;
  });
}

sn_status sn_fst_set_start(sn_fst *f, int32_t s, sn_err *err) {
  return guard(err, "fst set start", [&] {
    if (!has_state(f, s))
      return sn_fail(err, SN_EARG, "fst set start: state %d of %d", s,
                     f->g.NumStates());
    f->g.SetStart(s);
    return SN_OK;
  });
}

sn_status sn_fst_set_final(sn_fst *f, int32_t s, float cost, sn_err *err) {
  return guard(err, "fst set final", [&] {
    if (!has_state(f, s) || std::isnan(cost))
      return sn_fail(err, SN_EARG, "fst set final: state %d of %d, cost %g", s,
                     f->g.NumStates(), static_cast<double>(cost));
    f->g.SetFinal(s, cost);
    return SN_OK;
  });
}

sn_status sn_fst_add_arc(sn_fst *f, int32_t from, int32_t in, int32_t out,
                         float cost, int32_t to, sn_err *err) {
  return guard(err, "fst add arc", [&] {
    if (!has_state(f, from) || !has_state(f, to) || in < 0 || out < 0 ||
        std::isnan(cost))
      return sn_fail(err, SN_EARG,
                     "fst add arc: %d -> %d of %d states, labels %d:%d, cost "
                     "%g",
                     from, to, f->g.NumStates(), in, out,
                     static_cast<double>(cost));
    f->g.AddArc(from, StdArc(in, out, cost, to));
    return SN_OK;
  });
}

int32_t sn_fst_n_states(const sn_fst *f) { return f->g.NumStates(); }
int32_t sn_fst_start(const sn_fst *f) { return f->g.Start(); }

int64_t sn_fst_n_arcs(const sn_fst *f, int32_t s) {
  return has_state(f, s) ? static_cast<int64_t>(f->g.NumArcs(s)) : 0;
}

float sn_fst_final(const sn_fst *f, int32_t s) {
  return has_state(f, s) ? f->g.Final(s).Value()
                         : std::numeric_limits<float>::infinity();
}

sn_fst_arc sn_fst_arc_at(const sn_fst *f, int32_t s, int64_t i) {
  SN_ASSERT(i >= 0 && i < sn_fst_n_arcs(f, s));
  fst::ArcIterator<StdVectorFst> it(f->g, s);
  it.Seek(static_cast<size_t>(i));
  const StdArc &a = it.Value();
  return {a.ilabel, a.olabel, a.nextstate, a.weight.Value()};
}

sn_status sn_fst_compose(const sn_fst *a, const sn_fst *b, sn_fst **out,
                         sn_err *err) {
  *out = nullptr;
  return guard(err, "fst compose", [&] {
    StdVectorFst sorted(b->g);
    fst::ArcSort(&sorted, fst::ILabelCompare<StdArc>());
    Ptr c(new sn_fst);
    fst::Compose(a->g, sorted, &c->g);
    return give(std::move(c), "fst compose", out, err);
  });
}

sn_status sn_fst_connect(const sn_fst *f, sn_fst **out, sn_err *err) {
  *out = nullptr;
  return guard(err, "fst connect", [&] {
    Ptr c(new sn_fst(*f));
    fst::Connect(&c->g);
    return give(std::move(c), "fst connect", out, err);
  });
}

sn_status sn_fst_rm_epsilon(const sn_fst *f, sn_fst **out, sn_err *err) {
  *out = nullptr;
  return guard(err, "fst rmepsilon", [&] {
    Ptr c(new sn_fst(*f));
    fst::RmEpsilon(&c->g);
    return give(std::move(c), "fst rmepsilon", out, err);
  });
}

sn_status sn_fst_optimise(const sn_fst *f, int32_t max_states, sn_fst **out,
                          sn_err *err) {
  *out = nullptr;
  return guard(err, "fst optimise", [&] {
    StdVectorFst encoded(f->g);
    fst::Connect(&encoded);
    fst::EncodeMapper<StdArc> mapper(fst::kEncodeLabels | fst::kEncodeWeights,
                                     fst::ENCODE);
    fst::Encode(&encoded, &mapper);
    Ptr d(new sn_fst);
    // Final weights stay: with costs on them it is not unweighted, but then
    // determinised by state sets and residual weights, which are all One.
    fst::DeterminizeOptions<StdArc> opts(fst::kDelta, StdArc::Weight::Zero(),
                                         max_states);
    fst::Determinize(encoded, &d->g, opts);
    if (d->g.NumStates() >= max_states) return SN_OK;
    fst::Minimize(&d->g);
    fst::Decode(&d->g, mapper);
    return give(std::move(d), "fst optimise", out, err);
  });
}

sn_status sn_fst_determinize(const sn_fst *f, sn_fst **out, sn_err *err) {
  *out = nullptr;
  return guard(err, "fst determinize", [&] {
    Ptr d(new sn_fst);
    fst::Determinize(f->g, &d->g);
    return give(std::move(d), "fst determinize", out, err);
  });
}

sn_status sn_fst_minimize(const sn_fst *f, sn_fst **out, sn_err *err) {
  *out = nullptr;
  return guard(err, "fst minimize", [&] {
    Ptr c(new sn_fst(*f));
    fst::Minimize(&c->g);
    return give(std::move(c), "fst minimize", out, err);
  });
}

sn_status sn_fst_rand_equivalent(const sn_fst *a, const sn_fst *b,
                                 int32_t n_paths, float delta, uint64_t seed,
                                 bool *same, sn_err *err) {
  return guard(err, "fst equivalence", [&] {
    bool error = false;
    *same = fst::RandEquivalent(a->g, b->g, n_paths, delta, seed,
                                std::numeric_limits<int32_t>::max(), &error);
    if (error)
      return sn_fail(err, SN_EEXTERNAL, "fst equivalence: OpenFst failed");
    return SN_OK;
  });
}

}  // extern "C"
