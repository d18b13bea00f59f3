;; A memory of 64-bit addresses, which needs no guard pages to be large.
(component (core module (memory i64 1)))
