;; Declares four gigabytes of memory.
(core module $attack
  (import "host" "realloc" (func $realloc (param i32 i32 i32 i32) (result i32)))
  (import "host" "post" (func $post (param i32)))
  (export "realloc" (func $realloc))
  (export "post" (func $post))
  (memory 65536)
  (func (export "run") (param i32 i32 i64 i32 i32 i32 i32 i32) (result i32) (i32.const 16)))
