;; A workflow whose `run` takes nothing and returns a number.
(component
  (core module $m (func (export "run") (result i32) (i32.const 0)))
  (core instance $i (instantiate $m))
  (func $run (result u32) (canon lift (core func $i "run")))
  (instance $entry (export "run" (func $run)))
  (export "permission-protocol:tenant/entrypoint@0.2.0" (instance $entry)))
