# SPDX-License-Identifier: BSD-3-Clause
"""The benchmarks behind `netloom bench`; bench/README.md says what is measured and how."""
