;; An optional artifact whose tag is neither some nor none.
(core module $attack
  (import "host" "memory" (memory 2))
  (import "host" "realloc" (func $realloc (param i32 i32 i32 i32) (result i32)))
  (import "host" "post" (func $post (param i32)))
  (import "host" "drop-step" (func $drop-step (param i32)))
  (import "host" "approve" (func $approve (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
  (export "realloc" (func $realloc))
  (export "post" (func $post))
  (func (export "run") (param $payload i32) (param i32) (param i64) (param i32 i32 i32 i32) (param $step i32) (result i32)
    (call $approve (i32.const 256) (i32.const 32) (i32.const 256) (i32.const 32) (i32.const 64) (i32.const 4) (i32.const 512) (i32.const 2)
      (i32.const 7) (i32.const 64) (i32.const 4) (i32.const 64) (i32.const 4) (i32.const 2048))
    (call $drop-step (local.get $step))
    (i32.const 16)))
