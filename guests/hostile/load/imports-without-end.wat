;; A list of four billion imports in four bytes.
(component binary "\00asm\0d\00\01\00" "\0a\05\ff\ff\ff\ff\0f")
