# libpiaa: every room in one library, of which only include/piaa.h is visible.
get_property(rooms GLOBAL PROPERTY piaa_rooms)
