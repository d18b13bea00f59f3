;; A section with a declared length of four gigabytes.
(component binary "\00asm\0d\00\01\00" "\01\ff\ff\ff\ff\0f\00asm")
