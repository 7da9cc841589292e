# SPDX-License-Identifier: BSD-3-Clause
"""Part of bench/overlay: many VNIs and stations."""


def scale(options, folder):
    return {}
