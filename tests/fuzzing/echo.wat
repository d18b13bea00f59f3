;; Returns the parameters that it was started with, byte for byte.
(core module $attack
  (import "host" "memory" (memory 2))
  (import "host" "realloc" (func $realloc (param i32 i32 i32 i32) (result i32)))
  (import "host" "post" (func $post (param i32)))
  (import "host" "drop-step" (func $drop-step (param i32)))
  (export "realloc" (func $realloc))
  (export "post" (func $post))
  (func (export "run") (param $payload i32) (param $length i32) (param i64 i32 i32 i32 i32) (param $step i32) (result i32)
    (call $drop-step (local.get $step))
    (i32.store (i32.const 2048) (i32.const 0))
    (i32.store (i32.const 2052) (local.get $payload))
    (i32.store (i32.const 2056) (local.get $length))
    (i32.const 2048)))
