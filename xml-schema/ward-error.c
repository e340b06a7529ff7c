/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ward-error.h"

G_DEFINE_QUARK(ward - error - quark, ward_error)
