;; Repeats a call that is refused each time and so leaves no entry.
(core module $attack
  (import "host" "memory" (memory 2))
  (import "host" "realloc" (func $realloc (param i32 i32 i32 i32) (result i32)))
  (import "host" "post" (func $post (param i32)))
  (import "host" "begin" (func $begin (param i32 i32 i32 i32)))
  (export "realloc" (func $same-place))
  (export "post" (func $post))
  (func $same-place (param i32 i32 i32 i32) (result i32) (i32.const 65536))
  (func (export "run") (param i32 i32 i64 i32 i32 i32 i32) (param $step i32) (result i32)
    (loop $more
      (call $begin (local.get $step) (i32.const 0) (i32.const 0) (i32.const 2048))
      (br $more))
    (unreachable)))
