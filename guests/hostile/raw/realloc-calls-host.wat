;; Calls the host while the host is writing the parameters.
(core module $attack
  (import "host" "memory" (memory 2))
  (import "host" "realloc" (func $realloc (param i32 i32 i32 i32) (result i32)))
  (import "host" "post" (func $post (param i32)))
  (import "host" "begin" (func $begin (param i32 i32 i32 i32)))
  (export "post" (func $post))
  (func (export "realloc") (param i32 i32 i32 i32) (result i32)
    (call $begin (i32.const 1) (i32.const 64) (i32.const 4) (i32.const 2048))
    (call $realloc (local.get 0) (local.get 1) (local.get 2) (local.get 3)))
  (func (export "run") (param i32 i32 i64 i32 i32 i32 i32 i32) (result i32) (i32.const 16)))
