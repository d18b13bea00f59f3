;; Has the host write the parameters beyond the end of memory.
(core module $attack
  (import "host" "memory" (memory 2))
  (import "host" "post" (func $post (param i32)))
  (export "post" (func $post))
  (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const -16))
  (func (export "run") (param i32 i32 i64 i32 i32 i32 i32 i32) (result i32) (i32.const 16)))
