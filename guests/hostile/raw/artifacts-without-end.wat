;; Has the host read six megabytes, again and again, for a request that is refused each time.
(core module $attack
  (import "host" "memory" (memory 2))
  (import "host" "realloc" (func $realloc (param i32 i32 i32 i32) (result i32)))
  (import "host" "post" (func $post (param i32)))
  (import "host" "approve" (func $approve (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
  (export "realloc" (func $same-place))
  (export "post" (func $post))
  (func $same-place (param i32 i32 i32 i32) (result i32) (i32.const 65536))
  (func (export "run") (param i32 i32 i64 i32 i32 i32 i32) (param $step i32) (result i32)
    (drop (memory.grow (i32.const 100)))
    (loop $more
      (call $approve (i32.const 64) (i32.const 4) (i32.const 256) (i32.const 32) (i32.const 64) (i32.const 4) (i32.const 512) (i32.const 2)
        (i32.const 1) (i32.const 64) (i32.const 4) (i32.const 131072) (i32.const 6000000) (i32.const 2048))
      (br $more))
    (unreachable)))
