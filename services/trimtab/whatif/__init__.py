"""What if another policy had decided: recorded history once more, under the recorded policy and under another one."""
