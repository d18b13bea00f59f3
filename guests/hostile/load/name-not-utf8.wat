;; An import whose name is not UTF-8.
(component binary "\00asm\0d\00\01\00" "\0a\07\01\00\02\ff\fe\01\00\00")
